import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compareRuns } from './compare.ts';
import { describeMachine, loadAverage } from './machine.ts';
import { measureLimit } from './measure-limit.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { playScenario } from './play-scenario.ts';
import { quickLine, reportText } from './report.ts';
import { currentCommit, newestResult, readResult, saveResult, stampOf } from './results-folder.ts';
import type { RunResult, ScenarioResult } from './run-result.ts';
import type { Play } from './scenario.ts';
import { chooseScenarios, scenarios } from './scenarios.ts';
import { startServers } from './servers.ts';

/** `npm run bench`: see `USAGE`, and docs/performance.md for what each figure means. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  switch (options.mode) {
    case 'list':
      for (const { name, title, onlyByName } of scenarios)
        write(`${name.padEnd(14)} ${title}${onlyByName ? ' (by name only)' : ''}`);
      return 0;
    case 'compare':
      return compare(options.compare);
    case 'run':
      return run(options);
  }
}

async function compare([first, second]: readonly string[]): Promise<number> {
  write(compareRuns(await readResult(first!), await readResult(second ?? (await newestResult()))));
  return 0;
}

async function run(options: Options): Promise<number> {
  if (process.platform !== 'linux') throw new Error('CPU times are read from /proc: npm run bench needs Linux.');
  const result = await measure(options);
  write(`\n${reportText(result)}`);
  if (options.save) write(`\nwritten to ${await saveResult(result)}`);
  if (options.quick) write(quickLine(result));
  return result.scenarios.some(({ problems }) => problems.length > 0) ? 1 : 0;
}

/** Connections of the limit's loop. More make undici's pool slower, which would flatter the ratio. */
const LIMIT_CONNECTIONS = 64;

async function measure(options: Options): Promise<RunResult> {
  const loadAverageAtStart = loadAverage();
  const chosen = chooseScenarios(options.only, options.quick);
  const head = { at: new Date().toISOString(), commit: currentCommit() };
  const profileDir = options.profile ? await profileFolder(stampOf(head)) : null;
  write('the limit');
  const limit = await measureLimit(LIMIT_CONNECTIONS, options.quick ? 1_000 : 2_000, options.quick ? 2_000 : 5_000);
  const servers = await startServers(options.redis);
  try {
    const played: ScenarioResult[] = [];
    for (const scenario of chosen) {
      write(`${scenario.name}: ${scenario.title}`);
      const stageOptions = { name: scenario.name, servers, layout: options.layout, profileDir };
      played.push(await playScenario(scenario, stageOptions, playOf(options, limit.dispatchCpuUs)));
    }
    const machine = describeMachine(
      { version: servers.postgresVersion, isEmbedded: servers.isEmbedded },
      loadAverageAtStart,
    );
    const { quick, layout, profile: profiled, seconds: measuredSeconds } = options;
    const bell = servers.redisUrl === undefined ? 'postgres' : 'redis';
    return { ...head, quick, layout, bell, profiled, measuredSeconds, machine, limit, scenarios: played };
  } finally {
    await servers.close();
  }
}

function playOf({ quick, seconds, minutes, events }: Options, limitUs: number): Play {
  return {
    warmUpMs: quick ? 4_000 : 8_000,
    measureMs: seconds * 1_000,
    sustainMs: minutes * 60_000,
    keptEvents: events,
    limitUs,
  };
}

async function profileFolder(stamp: string): Promise<string> {
  const folder = fileURLToPath(new URL(`../../../bench/profiles/${stamp}`, import.meta.url));
  await mkdir(folder, { recursive: true });
  return folder;
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}

function misused(error: unknown): number {
  process.stderr.write(`${(error as Error).stack}\n\n${USAGE}`);
  return 2;
}

process.exit(await main(process.argv.slice(2)).catch(misused));

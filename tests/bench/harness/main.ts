import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { runCommand, UsageError } from '../../../src/cli/run-command.ts';
import { type Closers, closeAll } from './closers.ts';
import { compareRuns } from './compare.ts';
import { type CpuProfile, flameGraph } from './flame-graph.ts';
import { measureRun } from './measure-run.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { quickLine, reportText } from './report.ts';
import { readJson, readPair, saveResult } from './results-folder.ts';
import { chooseScenarios, scenarios } from './scenarios.ts';

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
    case 'flame':
      return flame(options.flame);
    case 'run':
      return run(options);
  }
}

async function compare([first, second]: readonly string[]): Promise<number> {
  write(compareRuns(...(await readPair(first!, second))));
  return 0;
}

/** The middle of the profile: neither the start of the process nor the end of the load. */
const STEADY = { from: 0.5, to: 0.85 };

async function flame([profile, picture]: readonly string[]): Promise<number> {
  const read = (await readJson('--flame', profile!)) as Partial<CpuProfile> | null;
  if (!Array.isArray(read?.nodes)) throw new UsageError(`--flame: ${profile} is not a .cpuprofile`);
  const svg = flameGraph(read as CpuProfile, basename(profile!, '.cpuprofile'), STEADY);
  await writeFile(picture!, svg);
  return 0;
}

async function run(options: Options): Promise<number> {
  if (process.platform !== 'linux') throw new Error('CPU times are read from /proc: npm run bench needs Linux.');
  const chosen = chooseScenarios(options.only, options.quick);
  const closers: Closers = [];
  const cut = new AbortController();
  try {
    const result = await Promise.race([measureRun(options, chosen, closers, write, cut.signal), interruption(cut)]);
    write(`\n${reportText(result)}`);
    if (options.save) write(`\nwritten to ${await saveResult(result)}`);
    await closeAll(closers);
    if (options.quick) write(quickLine(result));
    return result.scenarios.some(({ problems }) => problems.length > 0) ? 1 : 0;
  } finally {
    await closeAll(closers);
  }
}

/** Rejects when a person or an operator ends the run, so that what runs is ended too. */
function interruption(cut: AbortController): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        cut.abort();
        reject(new Error(`cut short by ${signal}`));
      });
  });
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}

function failed(error: unknown): number {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}

process.exit(await runCommand(USAGE, process.argv.slice(2), main).catch(failed));

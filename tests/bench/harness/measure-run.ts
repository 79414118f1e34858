import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Closers } from './closers.ts';
import { describeMachine, loadAverage } from './machine.ts';
import { type LimitKind, limitOf, type Measured, measureLimit } from './measure-limit.ts';
import type { Options } from './options.ts';
import { playScenario } from './play-scenario.ts';
import { currentCommit, stampOf } from './results-folder.ts';
import type { RunResult, ScenarioResult } from './run-result.ts';
import type { Play, Scenario } from './scenario.ts';
import { startServers } from './servers.ts';
import { withRatio } from './window.ts';

/**
 * The limit, and every scenario with the limit measured again after it: the machine that a scenario had is the one that it is compared with.
 * @param closers told how to undo whatever runs, for a run that is cut short
 * @param signal aborted then, so that nothing is started after it
 */
export async function measureRun(
  options: Options,
  chosen: readonly Scenario[],
  closers: Closers,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<RunResult> {
  const loadAverageAtStart = loadAverage();
  const head = { at: new Date().toISOString(), commit: currentCommit() };
  const profileDir = options.profile ? await profileFolder(stampOf(head)) : null;
  tell('the limit');
  const request = await limitTimes(options, 'request');
  const spread = await limitTimes(options, 'spread');
  const dispatches = [await limitTimes(options, 'dispatch')];
  const servers = await startServers(options.redis);
  closers.push(() => servers.close());
  const played: ScenarioResult[] = [];
  for (const scenario of chosen) {
    signal.throwIfAborted();
    const startedAt = performance.now();
    tell(`${scenario.name}: ${scenario.title}`);
    const stageOptions = { name: scenario.name, servers, layout: options.layout, profileDir, closers };
    played.push(await playScenario(scenario, stageOptions, playOf(options)));
    dispatches.push(await limitTimes(options, 'dispatch'));
    tell(`  ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
  }
  const limit = limitOf(dispatches, request, spread);
  const { quick, layout, profile: profiled, seconds: measuredSeconds } = options;
  return {
    ...head,
    quick,
    layout,
    bell: servers.redisUrl === undefined ? 'postgres' : 'redis',
    profiled,
    measuredSeconds,
    machine: describeMachine({ version: servers.postgresVersion, isEmbedded: servers.isEmbedded }, loadAverageAtStart),
    limit,
    scenarios: played.map((one) => ({ ...one, figures: withRatio(one.figures, limit.dispatchCpuUs) })),
  };
}

function limitTimes({ quick }: Options, kind: LimitKind): Promise<Measured> {
  return quick ? measureLimit(kind, 500, 1_500) : measureLimit(kind, 1_500, 4_000);
}

function playOf({ quick, seconds, minutes, events }: Options): Play {
  return {
    warmUpMs: quick ? 3_000 : 8_000,
    measureMs: seconds * 1_000,
    sustainMs: minutes * 60_000,
    keptEvents: events,
  };
}

async function profileFolder(stamp: string): Promise<string> {
  const folder = fileURLToPath(new URL(`../../../bench/profiles/${stamp}`, import.meta.url));
  await mkdir(folder, { recursive: true });
  return folder;
}

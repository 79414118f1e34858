import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkCounters, checkReadiness, checkWalls } from './check-after.ts';
import { withDatabaseFacts } from './database-facts.ts';
import { judge } from './judge.ts';
import { Play } from './play.ts';
import { readLedger } from './read-ledger.ts';
import { type Judged, Report, type RunResult } from './report.ts';
import { Sampler } from './sampler.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { Tally } from './tally.ts';

export interface RunOptions {
  readonly seed: number;
  readonly backend: 'redis' | 'postgres';
  /** The steps begin again until so many minutes have passed; once without it. */
  readonly minutes?: number;
  readonly events?: number;
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly write: (line: string) => void;
  /** Told of the run while it lasts, so that its children can be ended. */
  readonly onPlay?: (play: Play | null) => void;
}

const WARM_UP_EVENTS = 60;
const TAIL_EVENTS = 30;
const RECOVERY_MS = 25_000;
const REFUSAL_MS = 2_500;
/** Past the time that is allowed, the backlog is watched so much longer, so that a late end can be told from none. */
const GRACE_MS = 15_000;

/** Plays a scenario: load, faults, heal, quiet, verdicts. Whatever happens, everything that it started is ended. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-chaos-'));
  const report = new Report(scenario, options, options.write);
  const play = new Play({ scenario, folder, say: (line) => report.at(line), ...options });
  options.onPlay?.(play);
  try {
    const performed = await perform(play, options, report);
    return report.end(await unlessAborted(options.signal, judgeAll(performed)));
  } catch (error) {
    report.at(`failed: ${error instanceof Error ? error.message : String(error)}`);
    return report.broken();
  } finally {
    if (report.hasFailed) options.write(play.logs());
    if (options.keep) await writeFile(join(folder, 'processes.log'), play.logs());
    await closeInTime(play);
    options.onPlay?.(null);
    if (options.keep) options.write(`kept      ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

const CLOSE_MS = 60_000;

/** What does not end by itself is killed. */
async function closeInTime(play: Play): Promise<void> {
  const late = new AbortController();
  const closed = play.close().then(() => late.abort());
  await Promise.race([closed, delay(CLOSE_MS, undefined, { signal: late.signal }).catch(() => {})]);
  if (late.signal.aborted) return;
  play.say('not closed in time: killed');
  play.killAll();
}

interface Performed {
  readonly play: Play;
  readonly sampler: Sampler;
  readonly recoveryMs: number;
}

async function perform(play: Play, options: RunOptions, report: Report): Promise<Performed> {
  const { scenario } = play;
  await unlessAborted(options.signal, play.open());
  report.at(
    `started: ${play.apis.places} api, ${play.workers.places} workers, Postgres, ${play.backend === 'redis' ? 'Redis' : 'no Redis'}`,
  );
  const sampler = new Sampler(play, scenario.filesAtMost);
  play.onClose(() => sampler.stop());
  sampler.start();
  const producer = play.startLoad();
  if (producer !== null) await unlessAborted(options.signal, acknowledged(play, scenario.warmUp ?? WARM_UP_EVENTS));
  const stopAt = performance.now() + (options.minutes ?? 0) * 60_000;
  do {
    for (const step of scenario.steps) {
      if (step.what !== '') report.at(step.what);
      await unlessAborted(options.signal, step.run(play));
    }
  } while (performance.now() < stopAt);
  await unlessAborted(options.signal, play.heal());
  report.at('healed');
  const healedAt = play.healedAt ?? performance.now();
  if (producer !== null) await unlessAborted(options.signal, lastEvents(play, options));
  await play.stopLoad();
  const isQuiet = await unlessAborted(options.signal, untilQuiet(play, healedAt));
  const recoveryMs = Math.round(performance.now() - healedAt);
  report.at(isQuiet ? 'quiet: nothing waits any more' : 'not quiet: deliveries still wait');
  // Witnesses that are heard one after the other must speak of one moment.
  if (!isQuiet)
    await Promise.all([...Array(play.workers.places).keys()].map((place) => play.workers.end(place, 'SIGTERM')));
  return { play, sampler, recoveryMs };
}

/** After the heal producers are served as before. A load that ends by itself is waited for. */
async function lastEvents(play: Play, options: RunOptions): Promise<void> {
  const hasEnd = (options.events ?? play.scenario.load?.events) !== undefined;
  if (hasEnd) await Promise.all(play.producers.map((producer) => producer.done));
  else await acknowledged(play, play.history.acknowledged + TAIL_EVENTS);
}

const STUCK_MS = 60_000;

async function acknowledged(play: Play, count: number): Promise<void> {
  const end = performance.now() + STUCK_MS;
  while (play.history.acknowledged < count) {
    if (performance.now() > end)
      throw new Error(`only ${play.history.acknowledged} of ${count} events were acknowledged`);
    await delay(20);
  }
}

/** Waits until nothing of the load waits for delivery and the receiver has answered everything. */
async function untilQuiet(play: Play, since: number): Promise<boolean> {
  const end = since + (play.scenario.recoveryAtMostMs ?? RECOVERY_MS) + GRACE_MS;
  const leaving = play.endpoints.filter(({ spec }) => spec.isLeft === true).map(({ id }) => id);
  const text = `SELECT 1 FROM expansions UNION ALL SELECT 1 FROM mailbox m JOIN endpoints p ON p.num = m.endpoint_num WHERE p.id <> ALL($1::text[]) LIMIT 1`;
  while (performance.now() < end) {
    const rows = await play.query(text, [leaving]);
    if (rows.length === 0) return true;
    await delay(50);
  }
  return false;
}

async function judgeAll({ play, sampler, recoveryMs }: Performed): Promise<Judged> {
  const tally = await takeTally(play);
  const { scenario, history } = play;
  const outcome: Outcome = { play, tally, recoveryMs };
  const verdicts = judge(tally, history, {
    repeatsAtMost: play.explainedRepeats,
    recoveryMs,
    recoveryAtMostMs: scenario.recoveryAtMostMs ?? RECOVERY_MS,
    refusals: scenario.refusals ?? [],
    refusalAtMostMs: scenario.refusalAtMostMs ?? REFUSAL_MS,
  });
  verdicts.push(
    await checkWalls(play),
    sampler.verdict(),
    await checkReadiness(play),
    await checkCounters(play, tally),
  );
  verdicts.push(...play.found, ...((await scenario.check?.(outcome)) ?? []));
  return { ...outcome, verdicts };
}

async function takeTally(play: Play): Promise<Tally> {
  const { history, routes, endpoints, scenario } = play;
  const tally = new Tally(history, routes);
  const ids = endpoints.map(({ id }) => id);
  await withDatabaseFacts(play.servers.postgres.url, ids, async (facts) => {
    for await (const fact of facts.events()) tally.stored(fact);
    for await (const fact of facts.attempts()) tally.attempted(fact);
    for await (const fact of facts.waiting()) tally.waiting(fact);
  });
  // Afterwards: whatever the database calls delivered the receiver must have had before.
  await play.receiver.report();
  for await (const record of readLedger(play.ledgerPath)) tally.ledger(record);
  tally.compare({
    mayWait: (endpoint) => endpoints[endpoint]!.spec.isLeft === true,
    mayMiss: (endpoint) => endpoints[endpoint]!.spec.isMissed === true,
    endsOften: scenario.endsOften === true,
  });
  return tally;
}

/** A step that is under way when the run is told to stop may be starting something: it is waited for, its pauses end at once. */
const STEP_ENDS_MS = 15_000;

/** @throws the signal's reason once it is aborted, when the work has come to an end, too */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, promise]);
  } catch (error) {
    if (signal.aborted) await Promise.race([work.catch(() => {}), delay(STEP_ENDS_MS, undefined, { ref: false })]);
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

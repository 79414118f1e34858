import { scenarios } from '../scenarios/all.ts';
import { soak } from '../scenarios/soak.ts';
import { backendFor, whyNotHere } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import type { Play } from './play.ts';
import { type Recorded, recordResults } from './results.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { writeSummary } from './summary.ts';

/** `npm run chaos`: plays scenarios, and ends with PASS or FAIL and the exit code to match. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.mode === 'list') {
    for (const { id, title, rows } of scenarios)
      write(`${id.padEnd(12)}${title}${rows.length > 0 ? ` (${rows.join(', ')})` : ''}`);
    return 0;
  }
  const chosen = choose(options);
  const results: Recorded[] = [];
  for (const scenario of chosen) {
    const reason = whyNotHere(scenario, options.backend);
    results.push(reason === null ? { scenario, result: await play(scenario, options) } : { scenario, skipped: reason });
    if (reason !== null) write(`skipped     ${scenario.id}: ${reason}`);
    write('');
    if (stopping.signal.aborted) break;
  }
  if (options.record) recordResults(results);
  if (options.mode === 'ci') writeSummary(results);
  return conclude(results, options);
}

const stopping = new AbortController();
let current: Play | null = null;

function play(scenario: Scenario, options: Options) {
  const { seed, keep } = options;
  return runScenario(scenario, {
    seed,
    keep,
    backend: backendFor(scenario, options.backend),
    signal: stopping.signal,
    write,
    onPlay: (next) => {
      current = next;
    },
    ...(options.minutes === undefined ? {} : { minutes: options.minutes }),
    ...(options.events === undefined ? {} : { events: options.events }),
  });
}

function choose({ mode, scenario, minutes, events }: Options): readonly Scenario[] {
  if (mode === 'all') return scenarios;
  if (mode === 'ci') return scenarios.filter(({ ci }) => ci === true);
  if (mode === 'soak') return [soak(minutes, events)];
  const found = scenarios.find(({ id }) => id.toLowerCase() === scenario.toLowerCase());
  if (found === undefined) throw new Error(`there is no scenario ${scenario}; --list shows them all`);
  return [found];
}

function conclude(results: readonly Recorded[], { mode }: Options): number {
  const failed = results.filter(({ result }) => result !== undefined && !result.passed);
  const skipped = results.filter(({ result }) => result === undefined);
  if (results.length > 1) {
    for (const { scenario } of failed) write(`failed      ${scenario.id}: ${scenario.title}`);
    for (const { scenario, skipped: reason } of skipped) write(`skipped     ${scenario.id}: ${reason}`);
    write(
      `${results.length - failed.length - skipped.length} passed, ${failed.length} failed, ${skipped.length} skipped`,
    );
  }
  // What a machine of ours must be able to play may not be passed over there; a single scenario that was asked for never.
  const mayNotSkip = mode === 'one' || process.env.CI !== undefined;
  const hasFailed = failed.length > 0 || (skipped.length > 0 && mayNotSkip) || stopping.signal.aborted;
  write(hasFailed ? 'FAIL' : 'PASS');
  return hasFailed ? 1 : 0;
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A terminal and npm send the same signal together. */
const PAIR_MS = 1_000;
let stoppedAt = Number.POSITIVE_INFINITY;

// The first asks for an orderly end; whoever insists gets a quick one.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (performance.now() - stoppedAt > PAIR_MS) process.exit(130);
    stoppedAt = Math.min(stoppedAt, performance.now());
    stopping.abort(new Error(`stopped by ${signal}`));
  });
process.on('exit', () => current?.killAll());

/** Everything that was started has ended by then, and nothing that is left may hold up the answer. */
process.exit(await main(process.argv.slice(2)).catch(misused));

function misused(error: unknown): number {
  write(`${(error as Error).message}\n\n${USAGE}`);
  return 2;
}

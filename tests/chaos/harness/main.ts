import { runCommand, UsageError } from '../../../src/cli/run-command.ts';
import { scenarios } from '../scenarios/all.ts';
import { soak } from '../scenarios/soak.ts';
import { ciSubset } from './ci-subset.ts';
import { Leftovers } from './leftovers.ts';
import { backendFor, whyNotHere } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import type { Play } from './play.ts';
import { playAll } from './play-all.ts';
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
  const leftovers = new Leftovers();
  const results = await playAll(chosen, {
    whyNot: (scenario) => whyNotHere(scenario, options.backend),
    play: (scenario) => play(scenario, options),
    clear: () => leftovers.clear(options.keep),
    onResult: (result) => options.record && recordResults([result]),
    isStopped: () => stopping.signal.aborted,
    write,
  });
  leftovers.close(options.keep);
  if (options.mode === 'ci') writeSummary(results);
  return conclude(results, options);
}

const stopping = new AbortController();
let current: Play | null = null;
/** Of the scenario that is played. */
let breaking = new AbortController();

/** Past what a scenario is asked to last, it is ended: the others are to have their turn. */
const LONGEST_MS = 20 * 60_000;

function play(scenario: Scenario, options: Options) {
  const { seed, keep, minutes = 0, events = 0 } = options;
  breaking = new AbortController();
  // Of a load that ends by its number a thousand a second are posted at the very least.
  const timer = setTimeout(() => giveUp('it took too long'), LONGEST_MS + minutes * 60_000 + events);
  const run = runScenario(scenario, {
    seed,
    keep,
    backend: backendFor(scenario, options.backend),
    signal: AbortSignal.any([stopping.signal, breaking.signal]),
    write,
    onPlay: (next) => {
      current = next;
    },
    ...(options.minutes === undefined ? {} : { minutes: options.minutes }),
    ...(options.events === undefined ? {} : { events: options.events }),
  });
  return run.finally(() => clearTimeout(timer));
}

function giveUp(why: string): void {
  breaking.abort(new Error(why));
}

function choose({ mode, scenario, minutes, events, short }: Options): readonly Scenario[] {
  const sized = (each: Scenario) => (short ? (each.short ?? each) : each);
  if (mode === 'all') return scenarios.map(sized);
  if (mode === 'ci') return ciSubset(scenarios);
  if (mode === 'soak') return [soak(minutes, events)];
  const found = scenarios.find(({ id }) => id.toLowerCase() === scenario.toLowerCase());
  if (found === undefined) throw new UsageError(`there is no scenario ${scenario}; --list shows them all`);
  return [sized(found)];
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
// One that nobody waited for, in a step, is that scenario's failure and not the end of the others.
for (const event of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(event, (error: unknown) => giveUp(`${event}: ${error instanceof Error ? error.stack : String(error)}`));

/** Everything that was started has ended by then, and nothing that is left may hold up the answer. */
process.exit(await runCommand(USAGE, process.argv.slice(2), main).catch(failed));

function failed(error: unknown): number {
  write(error instanceof Error ? String(error.stack) : String(error));
  return 1;
}

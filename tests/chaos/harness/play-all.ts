import type { RunResult } from './report.ts';
import type { Recorded } from './results.ts';
import type { Scenario } from './scenario.ts';

export interface PlayAllOptions {
  /** Why a scenario cannot be played here; null when it can. */
  readonly whyNot: (scenario: Scenario) => string | null;
  readonly play: (scenario: Scenario) => Promise<RunResult>;
  /** Clears away what the scenario left. @returns one line for each thing */
  readonly clear: () => readonly string[];
  /** Told of each result as soon as there is one: what comes later may never end. */
  readonly onResult: (result: Recorded) => void;
  readonly isStopped: () => boolean;
  readonly write: (line: string) => void;
}

const BROKEN: RunResult = { passed: false, recoveryMs: 0, lost: 0, duplicates: 0, events: 0 };

/** Plays one scenario after the other. Whatever becomes of one, the next begins on clean ground. */
export async function playAll(scenarios: readonly Scenario[], options: PlayAllOptions): Promise<Recorded[]> {
  const { whyNot, play, clear, onResult, isStopped, write } = options;
  const results: Recorded[] = [];
  for (const scenario of scenarios) {
    if (isStopped()) break;
    const skipped = whyNot(scenario);
    if (skipped !== null) write(`skipped     ${scenario.id}: ${skipped}`);
    const recorded: Recorded =
      skipped === null ? { scenario, result: await playSafely(scenario, play, write) } : { scenario, skipped };
    for (const line of clear()) write(`left over   ${line}`);
    results.push(recorded);
    onResult(recorded);
    write('');
  }
  return results;
}

async function playSafely(scenario: Scenario, play: PlayAllOptions['play'], write: PlayAllOptions['write']) {
  try {
    return await play(scenario);
  } catch (error) {
    write(`failed      ${scenario.id}: ${error instanceof Error ? error.message : String(error)}`);
    return BROKEN;
  }
}

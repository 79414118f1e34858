import { KNOWN } from './history.ts';
import type { Verdict } from './judge.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { PROBLEM } from './tally.ts';

export interface Judged extends Outcome {
  readonly verdicts: readonly Verdict[];
}

export interface RunResult {
  readonly passed: boolean;
  readonly recoveryMs: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly events: number;
}

const COLUMN = 12;

/** Prints a run while it goes on, and what it came to. */
export class Report {
  hasFailed = false;
  readonly #startedAt = performance.now();
  readonly #write: (line: string) => void;

  constructor(scenario: Scenario, options: { seed: number; backend: string }, write: (line: string) => void) {
    this.#write = write;
    this.#line('scenario', `${scenario.id}: ${scenario.title}`);
    this.#line('seed', String(options.seed));
    this.#line('doorbell', options.backend === 'redis' ? 'BullMQ on Redis' : 'BullMQ on Postgres');
    this.#line('load', loadText(scenario));
    this.#line('expected', scenario.expected);
  }

  /** Something that happens now. */
  at(what: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    this.#write(`${`${seconds} s`.padStart(9)}   ${what}`);
  }

  end({ play, tally, recoveryMs, verdicts }: Judged): RunResult {
    const { history } = play;
    const lost = tally.problems.count(PROBLEM.lost) + tally.problems.count(PROBLEM.notStored);
    const passed = verdicts.every(({ isHeld }) => isHeld) && lost === 0;
    this.hasFailed = !passed;
    const [unknown, refused] = [history.countOf(KNOWN.unknown), history.countOf(KNOWN.failed)];
    this.#line('client', `${history.acknowledged} acknowledged, ${unknown} unknown, ${refused} refused`);
    this.#line('receiver', `${tally.requests} requests`);
    this.#line('recovery', `${(recoveryMs / 1000).toFixed(1)} s from the heal to an empty backlog`);
    this.#line('lost', String(lost));
    this.#line('duplicates', String(tally.duplicates));
    for (const { name, isHeld, evidence } of merged(verdicts))
      this.#line(isHeld ? 'ok' : 'VIOLATED', `${name}: ${evidence}`);
    return { passed, recoveryMs, lost, duplicates: tally.duplicates, events: history.count || (play.events ?? 0) };
  }

  /** The run did not get as far as a verdict. */
  broken(): RunResult {
    this.hasFailed = true;
    return { passed: false, recoveryMs: 0, lost: 0, duplicates: 0, events: 0 };
  }

  #line(name: string, text: string): void {
    this.#write(`${name.padEnd(COLUMN)}${text}`);
  }
}

/** What was found several times in the same way is told once. */
function merged(verdicts: readonly Verdict[]): Verdict[] {
  const byName = Map.groupBy(verdicts, ({ name, isHeld }) => `${name} ${isHeld}`);
  return [...byName.values()].map((alike) => {
    const { name, isHeld, evidence } = alike.at(-1)!;
    return { name, isHeld, evidence: alike.length === 1 ? evidence : `${evidence} (${alike.length} times)` };
  });
}

function loadText({ load, endpoints }: Scenario): string {
  if (load === null) return 'what its steps send';
  const { perSecond = 60, batch = 1, events } = load ?? {};
  const parts = [`${perSecond} events/s`, `${batch} a post`, `${endpoints?.length ?? 4} endpoints`];
  return [...parts, ...(events === undefined ? [] : [`${events} events`])].join(', ');
}

import { type Cursor, START } from '../store/mailbox.ts';
import { ago } from './cursor.ts';

/** How much of what was due the first part takes in, and the least that one does, in ms of due times. */
const FIRST_MS = 15_000;
const LEAST_MS = 100;
/** By how much the next part is larger, or smaller, than one that took less than so long, in ms; and how much smaller it is tried again where it failed. */
const STEPS = [
  [50, 16],
  [250, 4],
  [1_000, 1],
  [Number.POSITIVE_INFINITY, 1 / 4],
] as const;
const STEP_AFTER_FAILURE = 1 / 16;

/** A part of what is due in a lane: from this place on, and what became due until then. */
export interface StartPart {
  readonly after: Cursor;
  readonly untilMs: number;
}

/** Reads a lane from the start where one read of all would run into the time limit of a statement: in parts, each of which is small enough, the latest first. */
export class StartWalk {
  /** The part to be read is what was due between these, from the place on. */
  #fromMs: number;
  #untilMs: number;
  #place: Cursor | null = null;
  #spanMs = FIRST_MS;
  /** That of the next part. */
  #nextSpanMs = FIRST_MS;
  /** What all parts took, with an equal share of each statement for each lane that it read from the start; of how many statements that is; and what the shortest one took, in ms. */
  #tookMs = 0;
  #statements = 0;
  #leastMs = Number.POSITIVE_INFINITY;

  /** @param untilMs what became due later is read by others */
  constructor(untilMs: number) {
    this.#untilMs = untilMs;
    this.#fromMs = Math.max(0, untilMs - FIRST_MS);
  }

  get part(): StartPart {
    return { after: this.#place ?? (this.#fromMs === 0 ? START : ago(this.#fromMs, 0)), untilMs: this.#untilMs };
  }

  get isOver(): boolean {
    return this.#untilMs === 0;
  }

  /** How long the parts took in ms, beyond what a statement takes that finds nothing to step over. */
  get tookMs(): number {
    return this.#statements === 0 ? 0 : this.#tookMs - this.#leastMs * this.#statements;
  }

  /** The statement that read a part took so long, for so many lanes, whatever came of it. */
  took(ms: number, lanes: number): void {
    this.#tookMs += ms / lanes;
    this.#statements += 1 / lanes;
    this.#leastMs = Math.min(this.#leastMs, ms);
    const step = STEPS.find(([belowMs]) => ms < belowMs)![1];
    this.#nextSpanMs = Math.max(LEAST_MS, this.#spanMs * step);
  }

  /** What it brought was taken in. @param end the last row of it, where there may be more in this part; else null */
  onPartAdmitted(end: Cursor | null): void {
    this.#place = end;
    if (end !== null) return;
    this.#untilMs = this.#fromMs;
    this.#spanMs = this.#nextSpanMs;
    this.#fromMs = Math.max(0, this.#untilMs - this.#spanMs);
  }

  /** Nothing of the part was read. */
  failed(): void {
    this.#place = null;
    this.#spanMs = Math.max(LEAST_MS, this.#spanMs * STEP_AFTER_FAILURE);
    this.#fromMs = Math.max(0, this.#untilMs - this.#spanMs);
  }
}

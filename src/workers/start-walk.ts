import { type Cursor, START } from '../store/mailbox.ts';
import { ago } from './cursor.ts';

/** How much the first part covers, in ms of due times. */
const FIRST_MS = 15_000;
/** How much a part covers at least, in ms of due times. */
const LEAST_MS = 100;
/** If a part took less than so long, in ms, the next covers so many times as much. */
const STEPS = [
  [50, 16],
  [250, 4],
  [1_000, 1],
  [Number.POSITIVE_INFINITY, 1 / 4],
] as const;
/** A part that failed is tried again so many times as large. */
const STEP_AFTER_FAILURE = 1 / 16;

/** A part of the rows that are due in a lane: those behind this place that were due by then. */
export interface StartPart {
  readonly after: Cursor;
  readonly untilMs: number;
}

/** Reads a lane from the start in parts, the latest first, where one read of everything would run into the time limit of a statement. */
export class StartWalk {
  /** The part to be read: what was due between these two, behind `#place`. */
  #fromMs: number;
  #untilMs: number;
  #place: Cursor | null = null;
  #spanMs = FIRST_MS;
  /** How much the next part covers, in ms of due times. */
  #nextSpanMs = FIRST_MS;
  /** How long all parts took, in ms. A statement that read several lanes counts in equal shares. */
  #tookMs = 0;
  /** Of how many statements that is, counted in the same shares. */
  #statements = 0;
  /** How long the shortest statement took, in ms. */
  #leastMs = Number.POSITIVE_INFINITY;

  /** @param untilMs rows that became due later are read by the ordinary fetches */
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

  /** The statement that read a part took so long, for so many lanes, whether it failed or not. */
  took(ms: number, lanes: number): void {
    this.#tookMs += ms / lanes;
    this.#statements += 1 / lanes;
    this.#leastMs = Math.min(this.#leastMs, ms);
    const step = STEPS.find(([belowMs]) => ms < belowMs)![1];
    this.#nextSpanMs = Math.max(LEAST_MS, this.#spanMs * step);
  }

  /** The rows of the part were admitted. @param end the last of them, where there may be more in this part; else null */
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

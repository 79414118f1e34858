import { type Cursor, START } from '../store/mailbox.ts';

/** How far behind where it ended the next look begins, in ms: commits are rarely later than this. */
const OVERLAP_MS = 100;
/** How late a commit that went well, and our estimate of Postgres's clock, may be, in ms; and how often a look goes so far back. */
const SETTLED_MS = 1_000;
const LATE_MS = 250;
/** How far behind the clock a front may fall, in ms, before it leaves what is between to a sweep. */
const LAG_MS = 3_000;
/** How far a look goes back for what became due of late, in ms: every five seconds (`PastCrowd`), and no statement of ours takes as long as what is left of it. */
const RECENT_MS = 30_000;

/** Looks past a crowd, each from where the last one ended. */
export interface Look {
  /** When the last one began, in ms of `performance.now()`. */
  lookedAt: number;
  /** Whether there is nothing to look for. */
  readonly isOver: boolean;
  /** Where the next one begins. @param clockMs Postgres's clock */
  next(clockMs: number): Cursor;
  /** What it brought was taken in. @param end the last row of it, where there may be more behind; else null */
  took(end: Cursor | null): void;
}

/** Looks for what becomes due just now, whatever was due before. */
class Front implements Look {
  lookedAt = Number.NEGATIVE_INFINITY;
  readonly isOver = false;
  /** Whoever looks for what is left out. */
  readonly #unseen: Sweep;
  #place: Cursor = START;
  /** Postgres's clock at the look under way, and at the last that went back for what was committed late. */
  #clockMs = 0;
  #lateClockMs = 0;

  constructor(unseen: Sweep) {
    this.#unseen = unseen;
  }

  next(clockMs: number): Cursor {
    this.#clockMs = clockMs;
    if (clockMs - this.#place.dueAtMs > LAG_MS) {
      this.#unseen.goFrom(this.#place);
      this.#place = ago(clockMs, SETTLED_MS);
      this.#lateClockMs = clockMs;
    }
    // Where Postgres's clock was set back, what comes is due before.
    const back = this.#isLate ? ago(Math.min(this.#lateClockMs, clockMs), SETTLED_MS) : this.#end;
    return earlier(this.#place, back);
  }

  took(end: Cursor | null): void {
    if (this.#isLate) this.#lateClockMs = this.#clockMs;
    this.#place = end ?? this.#end;
  }

  get #isLate(): boolean {
    return Math.abs(this.#clockMs - this.#lateClockMs) >= LATE_MS;
  }

  /** How far a look comes that brings everything: what becomes visible before that is old. */
  get #end(): Cursor {
    return ago(this.#clockMs, OVERLAP_MS);
  }
}

/** Looks through what was due before, once, to the end. */
export class Sweep implements Look {
  lookedAt = Number.NEGATIVE_INFINITY;
  #place: Cursor | null = null;
  /** Where it begins again when it has come to the end. */
  #owed: Cursor | null = null;

  get isOver(): boolean {
    return this.#place === null;
  }

  /** Everything from there on is to be looked at. Goes to the end first, lest it never come there. */
  goFrom(place: Cursor): void {
    if (this.#place === null) this.#place = place;
    else this.#owed = earlier(this.#owed ?? place, place);
  }

  next(): Cursor {
    return this.#place ?? START;
  }

  /** What is left of it is looked for by others. */
  giveUp(): void {
    this.#place = null;
    this.#owed = null;
  }

  took(end: Cursor | null): void {
    this.#place = end ?? this.#owed;
    if (end === null) this.#owed = null;
  }
}

export type LookKind = 'front' | 'unseen' | 'passedOver';

/** The looks past a crowd in one lane. */
export class PastLooks {
  /** Through what nobody has looked at. */
  readonly unseen = new Sweep();
  /** Through what may have been passed over. */
  readonly passedOver = new Sweep();
  readonly front: Look = new Front(this.unseen);

  /** Since when a tenant is passed over whose rows were taken before. */
  #skippedAt: Cursor | null = null;

  /** Looks go past the rest of what a tenant has there, whose rows they brought so far. */
  skippedFrom(place: Cursor): void {
    this.#skippedAt = earlier(this.#skippedAt ?? place, place);
  }

  /** What became due of late may have been missed, and such a tenant may be passed over no more. @param clockMs Postgres's clock */
  resweepRecent(clockMs: number): void {
    const recent = ago(clockMs, RECENT_MS);
    this.unseen.goFrom(this.#skippedAt === null ? recent : earlier(this.#skippedAt, recent));
    this.#skippedAt = null;
  }

  /** Rows of tenants that are passed over no more, and what was committed very late, may be anywhere. */
  resweepAll(clockMs: number): void {
    this.resweepRecent(clockMs);
    this.passedOver.goFrom(START);
  }
}

/** Before everything that was due at that time, or later. */
export function ago(clockMs: number, ms: number): Cursor {
  return { ...START, dueAtMs: Math.max(0, clockMs - ms) };
}

function earlier(one: Cursor, other: Cursor): Cursor {
  return isBefore(other, one) ? other : one;
}

export function isBefore(one: Cursor, other: Cursor): boolean {
  return one.dueAtMs < other.dueAtMs;
}

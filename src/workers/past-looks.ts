import { type Cursor, START } from '../store/mailbox.ts';
import { ago, earlier } from './cursor.ts';
import type { Look } from './look.ts';
import { Sweep } from './sweep.ts';

/** How far behind its last end a look of the front begins, in ms: commits are rarely later than this. */
const OVERLAP_MS = 100;
/** How late a commit that went well, and our estimate of Postgres's clock, may be, in ms. */
const SETTLED_MS = 1_000;
/** How often a look of the front goes back so far, in ms. */
const LATE_MS = 250;
/** How far behind the clock the front may fall, in ms, before it leaves what is between to a sweep. */
const LAG_MS = 3_000;
/** How far `resweepRecent` goes back, in ms. It runs every five seconds (`PastCrowd`); no statement of ours takes as long as the rest. */
const RECENT_MS = 30_000;

/** Looks for what becomes due just now, whatever was due before. */
class Front implements Look {
  lookedAt = Number.NEGATIVE_INFINITY;
  readonly isOver = false;
  /** Goes through what the front leaves out. */
  readonly #unseen: Sweep;
  #place: Cursor = START;
  /** Postgres's clock when the last look began. */
  #clockMs = 0;
  /** Postgres's clock at the last look that went back for late commits. */
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
    // If Postgres's clock was set back, new rows are due before the last late look.
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

  /** The place of a look that brought everything. What becomes visible before it was committed late. */
  get #end(): Cursor {
    return ago(this.#clockMs, OVERLAP_MS);
  }
}

export type LookKind = 'front' | 'unseen' | 'passedOver';

/** The looks past a crowd in one lane. */
export class PastLooks {
  /** Goes through rows that nobody has looked at. */
  readonly unseen = new Sweep();
  /** Goes through rows that looks may have passed over. */
  readonly passedOver = new Sweep();
  readonly front: Look = new Front(this.unseen);
  /** From where on looks have passed over a tenant that joined the crowd since the last resweep; null without one. */
  #skippedAt: Cursor | null = null;

  /** From this place on looks pass over a tenant whose rows they brought before. */
  skippedFrom(place: Cursor): void {
    this.#skippedAt = earlier(this.#skippedAt ?? place, place);
  }

  /**
   * Looks again through what became due of late, in case a commit was later than the overlap, and through what `skippedFrom` told of: such a
   * tenant may be passed over no more.
   * @param clockMs Postgres's clock
   */
  resweepRecent(clockMs: number): void {
    const recent = ago(clockMs, RECENT_MS);
    this.unseen.goFrom(this.#skippedAt === null ? recent : earlier(this.#skippedAt, recent));
    this.#skippedAt = null;
  }

  /**
   * Also looks again from the start: rows of tenants that are passed over no more, and rows that were committed very late, may be anywhere.
   */
  resweepAll(clockMs: number): void {
    this.resweepRecent(clockMs);
    this.passedOver.goFrom(START);
  }
}

import { type Cursor, START } from '../store/mailbox.ts';
import { ago, isBefore } from './cursor.ts';
import type { Depth } from './look-backs.ts';

/** How far behind its cursor a lane looks each time, and now and then, in ms: commits are rarely later than this, and no statement of ours takes as long as that. */
const OVERLAP_MS = { near: 100, far: 15_000 } as const;
/** How late a commit that went well, and our estimate of Postgres's clock, may be: what was due before is read, or in memory. */
const SETTLED_MS = 1_000;

/** How far a lane's fetches have come through its rows, in the order in which they are due. */
export class LaneCursor {
  #place: Cursor = START;
  /** Where it was before the last fetch, or goes back to where what that brought is not taken in. */
  #before: Cursor = START;
  /** Postgres's clock when the last fetch began. */
  #clockMs = 0;

  /**
   * A fetch begins.
   * @param isInParts whether what is before the cursor is read in parts
   */
  begin(clockMs: number, isInParts: boolean): void {
    this.#clockMs = clockMs;
    // What is new goes on meanwhile.
    if (isInParts && this.#place === START) this.#place = ago(clockMs, 0);
  }

  /** What was due before is not fetched without looking back, in ms of Postgres's clock: where that was set back, new rows are due before the cursor. */
  get dueAtMs(): number {
    return Math.min(this.#place.dueAtMs, this.#clockMs);
  }

  /**
   * What the fetch begins behind.
   * @param isContinuing whether the last one left rows behind those that it brought
   */
  after(depth: Depth, isContinuing: boolean): Cursor {
    if (depth === 'start' || depth === 'part') return START;
    if (depth === 'near' && isContinuing) return this.#place;
    return ago(this.dueAtMs, OVERLAP_MS[depth]);
  }

  /**
   * What it brought is known.
   * @param last where it ended
   * @param isContinuing whether there may be more behind that
   */
  fetched(first: Cursor | undefined, last: Cursor | undefined, isContinuing: boolean): void {
    this.fetchedPast(first);
    // A row that became visible late, alone, says nothing of those behind it.
    if (last !== undefined && (isContinuing || last.dueAtMs >= this.#place.dueAtMs)) this.#place = last;
    // What was due so long before it began was read, or is in memory: the next look need not step over it. What may still become visible
    // there is found from the start, as ever; our clock is an estimate of Postgres's.
    const settled = ago(this.#clockMs, SETTLED_MS);
    if (!isContinuing && isBefore(this.#place, settled)) this.#place = settled;
  }

  /** The same where it passed over rows, which are still to be fetched: the cursor stays before them. */
  fetchedPast(first: Cursor | undefined): void {
    const isFirst = first !== undefined && isBefore(first, this.#place);
    this.#before = isFirst ? ago(first.dueAtMs, 0) : this.#place;
  }

  /** What the last fetch brought is to be fetched again. */
  goBack(): void {
    this.#place = this.#before;
  }

  /** @returns the place, or how far fetches have come, if that is behind it: what is before that was read */
  notRead(place: Cursor): Cursor {
    return isBefore(place, this.#place) ? this.#place : place;
  }
}

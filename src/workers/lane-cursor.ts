import { type Cursor, START } from '../store/mailbox.ts';
import { ago, isBefore } from './cursor.ts';
import type { Depth } from './look-backs.ts';

/**
 * How far behind its cursor a lane reads, in ms. `near`, each time: commits are rarely later. `far`, now and then: no statement of ours
 * takes so long.
 */
const OVERLAP_MS = { near: 100, far: 15_000 } as const;
/**
 * How late a commit that went well, and our estimate of Postgres's clock, may be, in ms: rows that were due before are read, or in memory.
 */
const SETTLED_MS = 1_000;

/** How far a lane's fetches have come through its rows, in the order in which they are due. */
export class LaneCursor {
  #place: Cursor = START;
  /** Where the cursor goes back to if rows of the last fetch are not admitted. */
  #before: Cursor = START;
  /** Postgres's clock when the last fetch began. */
  #clockMs = 0;

  /**
   * A fetch begins.
   * @param isInParts whether rows before the cursor are read in parts
   */
  begin(clockMs: number, isInParts: boolean): void {
    this.#clockMs = clockMs;
    // New rows are read meanwhile, from now on.
    if (isInParts && this.#place === START) this.#place = ago(clockMs, 0);
  }

  /**
   * From when on rows are read without looking back, in ms of Postgres's clock. If that clock was set back, new rows are due before the
   * cursor.
   */
  get dueAtMs(): number {
    return Math.min(this.#place.dueAtMs, this.#clockMs);
  }

  /**
   * The place behind which the fetch begins.
   * @param isContinuing whether the last one left rows behind those that it brought
   */
  after(depth: Depth, isContinuing: boolean): Cursor {
    if (depth === 'start' || depth === 'part') return START;
    if (depth === 'near' && isContinuing) return this.#place;
    return ago(this.dueAtMs, OVERLAP_MS[depth]);
  }

  /**
   * A fetch has ended.
   * @param last the place where it ended
   * @param isContinuing whether there may be more rows behind that
   */
  fetched(first: Cursor | undefined, last: Cursor | undefined, isContinuing: boolean): void {
    this.fetchedPast(first);
    // A single row that became visible late shows nothing of the rows behind it.
    if (last !== undefined && (isContinuing || last.dueAtMs >= this.#place.dueAtMs)) this.#place = last;
    // Rows that were due so long before the fetch began are read, or in memory: the next fetch need not step over them. Rows that still
    // become visible there are found by a read from the start, as ever.
    const settled = ago(this.#clockMs, SETTLED_MS);
    if (!isContinuing && isBefore(this.#place, settled)) this.#place = settled;
  }

  /** A fetch has ended that passed over rows. These are still to be fetched: the cursor stays before them. */
  fetchedPast(first: Cursor | undefined): void {
    const isFirst = first !== undefined && isBefore(first, this.#place);
    this.#before = isFirst ? ago(first.dueAtMs, 0) : this.#place;
  }

  /** Has the rows of the last fetch read again: the cursor goes back. */
  goBack(): void {
    this.#place = this.#before;
  }

  /** @returns the place, or the cursor if that is further: everything before the cursor was read */
  notRead(place: Cursor): Cursor {
    return isBefore(place, this.#place) ? this.#place : place;
  }
}

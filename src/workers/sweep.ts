import { type Cursor, START } from '../store/mailbox.ts';
import { earlier } from './cursor.ts';
import type { Look } from './look.ts';

/** Goes once through rows that were due before, from a given place to the end. */
export class Sweep implements Look {
  lookedAt = Number.NEGATIVE_INFINITY;
  /** Where the next read begins; null when the sweep is over. */
  #place: Cursor | null = null;
  /** Where it begins again when it has come to the end; null where it does not. */
  #owed: Cursor | null = null;

  get isOver(): boolean {
    return this.#place === null;
  }

  /** Has everything from there on looked through. A sweep under way first goes to the end, or it might never come there. */
  goFrom(place: Cursor): void {
    if (this.#place === null) this.#place = place;
    else this.#owed = earlier(this.#owed ?? place, place);
  }

  next(): Cursor {
    return this.#place ?? START;
  }

  /** Ends the sweep: others look for what it has not come to. */
  giveUp(): void {
    this.#place = null;
    this.#owed = null;
  }

  took(end: Cursor | null): void {
    this.#place = end ?? this.#owed;
    if (end === null) this.#owed = null;
  }
}

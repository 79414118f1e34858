import type { DueDelivery } from '../store/mailbox.ts';
import type { OrderKey } from '../store/order.ts';
import { keyOf } from './rows-in-memory.ts';

/** Rows that are taken at once at the most, for one statement: each makes some headway, however many wait. */
export const PART = 2_000;
/** Rows from which on they are to be written before more are read. */
const MANY = 5_000;

/** What a process has decided about rows and not yet said to the table. The caller of a `take` takes over what it returns. */
export class PendingTableWrites {
  /** By delivery: as long as a row cannot be written it is read, and parked here, again and again. */
  readonly #parked = new Map<string, DueDelivery>();
  readonly #behind = new Map<string, DueDelivery>();
  #asked = new Map<string, OrderKey>();

  get isEmpty(): boolean {
    return this.#rows + this.#asked.size === 0;
  }

  /** Whether more wait than should: writing them must have failed. */
  get isFull(): boolean {
    return this.#rows >= MANY;
  }

  get #rows(): number {
    return this.#parked.size + this.#behind.size;
  }

  /** Their endpoint cannot take them now. Those that were read from its parked backlog are there still. */
  park(rows: readonly DueDelivery[]): void {
    for (const row of rows) if (!row.isParked) this.#parked.set(keyOf(row), row);
  }

  /** They stand behind others of their key. */
  setBehind(rows: readonly DueDelivery[]): void {
    for (const row of rows) this.#behind.set(keyOf(row), row);
  }

  /** The table must be asked who is next of this key. */
  ask(endpointNum: number, key: number): void {
    this.#asked.set(`${endpointNum}/${key}`, { endpointNum, key });
  }

  /**
   * @param isVoid whether nothing is to be said of a row any more: it has come back into memory meanwhile, and stays there
   * @returns fewer than `PART` when it is all of them
   */
  takeParked(isVoid: (row: DueDelivery) => boolean): DueDelivery[] {
    return takePart(this.#parked, isVoid);
  }

  /** The same of those that stand behind others. */
  takeBehind(isVoid: (row: DueDelivery) => boolean): DueDelivery[] {
    return takePart(this.#behind, isVoid);
  }

  takeAsked(): OrderKey[] {
    const keys = [...this.#asked.values()];
    this.#asked.clear();
    return keys;
  }
}

function takePart(rows: Map<string, DueDelivery>, isVoid: (row: DueDelivery) => boolean): DueDelivery[] {
  const part: DueDelivery[] = [];
  for (const [key, row] of rows) {
    if (part.length >= PART) break;
    rows.delete(key);
    if (!isVoid(row)) part.push(row);
  }
  return part;
}

/** A row of a table; the table owns `next`. */
export interface TableRow<R> {
  readonly eventUuid: string;
  readonly endpointNum: number;
  next: R | null;
}

const FEWEST_BUCKETS = 1_024;
/** Where the part of a UUIDv7 begins in which those of one moment differ (RFC 9562 §5.7), in text form. */
const RANDOM_FROM = 24;

/**
 * Rows by event and endpoint. A hash table of its own rather than a Map, which would want a string made of both for each look, and whose
 * tables outlive it (see `KeptMap`).
 */
export class RowTable<R extends TableRow<R>> {
  #buckets: (R | null)[] = new Array<R | null>(FEWEST_BUCKETS).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The row that was added last of those that are the same delivery and that a test picks. */
  find(eventUuid: string, endpointNum: number, isPicked: (row: R) => boolean): R | undefined {
    for (let row: R | null = this.#buckets[this.#bucketOf(eventUuid, endpointNum)]!; row !== null; row = row.next)
      if (row.endpointNum === endpointNum && row.eventUuid === eventUuid && isPicked(row)) return row;
    return undefined;
  }

  /** All rows, in no order. */
  each(take: (row: R) => void): void {
    for (const first of this.#buckets) for (let row = first; row !== null; row = row.next) take(row);
  }

  add(row: R): void {
    if (this.#size >= this.#buckets.length) this.#grow();
    this.#place(row);
    this.#size++;
  }

  /** The caller vouches that it is here. */
  remove(row: R): void {
    const bucket = this.#bucketOf(row.eventUuid, row.endpointNum);
    let before = this.#buckets[bucket]!;
    if (before === row) this.#buckets[bucket] = row.next;
    else {
      while (before.next !== row) before = before.next!;
      before.next = row.next;
    }
    // A dead row must not keep others alive.
    row.next = null;
    this.#size--;
  }

  #place(row: R): void {
    const bucket = this.#bucketOf(row.eventUuid, row.endpointNum);
    row.next = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = new Array<R | null>(old.length * 2).fill(null);
    for (let row of old) {
      while (row !== null) {
        const { next } = row;
        this.#place(row);
        row = next;
      }
    }
  }

  #bucketOf(eventUuid: string, endpointNum: number): number {
    let hash = Math.imul(endpointNum, 0x9e3779b1);
    for (let i = RANDOM_FROM; i < eventUuid.length; i++) hash = Math.imul(hash ^ eventUuid.charCodeAt(i), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.#buckets.length - 1);
  }
}

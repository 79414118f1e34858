import { type FetchedBatch, isControl } from './drop-aborted.ts';

interface Stretch {
  from: bigint;
  to: bigint;
}

/**
 * Where a partition ends in offsets under which there is no message: the marks of transactions, what was taken back, and what was deleted. Who has taken in all
 * that comes before them is behind them as well, although no message says so. Pure; by topic id and partition.
 */
export class PassedOver {
  readonly #stretches = new Map<string, Stretch>();

  /** What was fetched, in its order, without what was taken back. */
  note(topicId: string, partition: number, batches: readonly FetchedBatch[]): void {
    const first = batches[0];
    const last = batches.at(-1);
    if (first === undefined || last === undefined) return;
    const key = keyOf(topicId, partition);
    const to = endOf(last, last.lastOffsetDelta);
    const behind = batches.findLast((batch) => !isControl(batch) && batch.records.length > 0);
    if (behind !== undefined) {
      this.#stretches.set(key, { from: endOf(behind, behind.records.at(-1)!.offsetDelta), to });
      return;
    }
    this.#pass(key, first.firstOffset, to);
  }

  /** There are no messages any more from one offset up to another. */
  skip(topicId: string, partition: number, from: bigint, to: bigint): void {
    this.#pass(keyOf(topicId, partition), from, to);
  }

  /** The stretch that is known goes on, or another begins. */
  #pass(key: string, from: bigint, to: bigint): void {
    const before = this.#stretches.get(key);
    const goesOn = before !== undefined && before.from <= from && from <= before.to;
    this.#stretches.set(key, { from: goesOn ? before.from : from, to });
  }

  /** @returns the first offset, from this one on, that may have a message */
  after(topicId: string, partition: number, offset: bigint): bigint {
    const stretch = this.#stretches.get(keyOf(topicId, partition));
    return stretch !== undefined && stretch.from <= offset && offset < stretch.to ? stretch.to : offset;
  }
}

function keyOf(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

function endOf({ firstOffset }: FetchedBatch, delta: number): bigint {
  return firstOffset + BigInt(delta) + 1n;
}

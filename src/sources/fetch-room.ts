import { partsOf, rotated, type WantedPartition, type WantedTopic } from './fetch-caution.ts';

/** Bytes of messages of a source that may wait in memory; past that nothing is fetched. */
export const MOST_BYTES = 16 * 1024 * 1024;
/** How long a fetch may wait for messages while partitions are left out of it: they are to come again soon once they have room. */
const TIGHT_WAIT_MS = 50;

/** What was fetched and is not durable yet, in bytes. */
export interface WaitingBytes {
  readonly bytes: number;
  readonly bytesOf: (topicId: string, partition: number) => number;
}

interface Wanted<Partition extends WantedPartition> {
  readonly topics: WantedTopic<Partition>[];
  readonly maxBytes?: number;
  readonly maxWaitTime?: number;
}

/**
 * How much of a source is fetched while much of it waits. A partition of which more waits than half of what is free is left out, until less
 * does: one that is taken in slowly leaves most of the room to the others, and however many are slow, something is left for one more.
 */
export class FetchRoom {
  #waiting: WaitingBytes | null = null;
  #turn = 0;

  /** From now on this is what waits. */
  watch(waiting: WaitingBytes): void {
    this.#waiting = waiting;
  }

  /** What to ask a broker for, of what is wanted of it; no topics where none has room. */
  limit<Partition extends WantedPartition, Asked extends Wanted<Partition>>(wanted: Asked): Asked {
    const waiting = this.#waiting;
    if (waiting === null) return wanted;
    const part = Math.max(0, MOST_BYTES - waiting.bytes) / 2;
    // The broker gives a batch at least.
    const maxBytes = Math.min(wanted.maxBytes ?? MOST_BYTES, Math.max(1, Math.floor(part)));
    // Then none has more than its part.
    if (waiting.bytes <= part) return { ...wanted, maxBytes };
    const all = partsOf(wanted.topics);
    const free = all.filter(({ topicId, partitions }) => waiting.bytesOf(topicId, partitions[0]!.partition) <= part);
    const maxWaitTime = Math.min(wanted.maxWaitTime ?? TIGHT_WAIT_MS, TIGHT_WAIT_MS);
    // The broker fills the answer in the order in which it is asked.
    const topics = rotated(free, this.#turn++);
    return { ...wanted, topics, maxBytes, ...(free.length < all.length && { maxWaitTime }) };
  }
}

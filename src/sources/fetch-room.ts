import { partsOf, rotated, type WantedPartition, type WantedTopic } from './fetch-caution.ts';
import { type FetchedTopic, Swelling } from './swelling.ts';

const MIB = 1024 * 1024;
/** Messages of a source that may wait in memory, in bytes; past that, only what of partitions in which nothing waits. */
const ROOM_BYTES = 16 * MIB;
/** Beyond it, for those, and for what was on its way from several brokers at once; past that nothing is fetched. */
const RESERVE_BYTES = 8 * MIB;
/** How long a fetch may wait for messages while partitions are left out of it: they are to come again soon once they have room. */
const TIGHT_WAIT_MS = 50;

/** What was fetched and is not durable yet, in bytes. */
export interface WaitingBytes {
  readonly bytes: number;
  readonly bytesOf: (topicId: string, partition: number) => number;
}

interface LimitedPartition extends WantedPartition {
  readonly partitionMaxBytes?: number;
}

interface Wanted<Partition extends LimitedPartition> {
  readonly node?: number;
  readonly topics: WantedTopic<Partition>[];
  readonly maxBytes?: number;
  readonly maxWaitTime?: number;
}

/**
 * How much of a source is fetched while much of it waits. A partition of which more waits than half of what is free is left out, until less
 * does: one that is taken in slowly leaves most of the room to the others, and however many are slow, something is left for one more. What
 * is asked for would take that half in memory, as far as the partitions' messages are known; the stream is never paused, because the
 * others' messages would wait in it behind those that are slow.
 *
 * What waits is room and reserve at most, and beyond them one answer of each broker that was on its way. Such an answer is more than was
 * asked for where a batch is, since brokers give one at least, or where a partition's messages have become smaller: at most what
 * `guardInflation` lets pass. Where slow partitions have batches so large that one of each fills room and reserve, all wait for them.
 */
export class FetchRoom {
  readonly #swelling = new Swelling();
  /** Brokers that are asked, each by itself, and share what is free. */
  readonly #nodes = new Set<number | undefined>();
  #waiting: WaitingBytes | null = null;
  #turn = 0;

  /** From now on this is what waits. */
  watch(waiting: WaitingBytes): void {
    this.#waiting = waiting;
  }

  /** This has come, and will wait. */
  learn(fetched: readonly FetchedTopic[]): void {
    this.#swelling.learn(fetched);
  }

  /** What to ask a broker for, of what is wanted of it; no topics where none has room. */
  limit<Partition extends LimitedPartition, Asked extends Wanted<Partition>>(wanted: Asked): Asked {
    const waiting = this.#waiting;
    if (waiting === null) return wanted;
    this.#nodes.add(wanted.node);
    const part = Math.max(0, ROOM_BYTES - waiting.bytes) / 2;
    const all = partsOf(wanted.topics);
    const free = waiting.bytes > ROOM_BYTES + RESERVE_BYTES ? [] : all.filter((one) => bytesOf(waiting, one) <= part);
    const share = part / this.#nodes.size;
    const most = this.#swelling.mostOf(free.map(({ topicId, partitions }) => [topicId, partitions[0]!.partition]));
    // The broker gives a batch at least.
    const maxBytes = Math.min(wanted.maxBytes ?? ROOM_BYTES, Math.max(1, Math.floor(share / most)));
    const maxWaitTime = Math.min(wanted.maxWaitTime ?? TIGHT_WAIT_MS, TIGHT_WAIT_MS);
    // The broker fills the answer in the order in which it is asked.
    const topics = rotated(free, this.#turn++).map((one) => this.#bounded(one, share));
    return { ...wanted, topics, maxBytes, ...(free.length < all.length && { maxWaitTime }) };
  }

  /** By a power of two: what changes from one fetch to the next is told to the broker anew. */
  #bounded<Partition extends LimitedPartition>(one: WantedTopic<Partition>, share: number): WantedTopic<Partition> {
    const { topicId, partitions } = one;
    const [wanted] = partitions as [Partition];
    const most = Math.max(1, share / this.#swelling.of(topicId, wanted.partition));
    const partitionMaxBytes = Math.min(wanted.partitionMaxBytes ?? MIB, 2 ** Math.floor(Math.log2(most)));
    return { topicId, partitions: [{ ...wanted, partitionMaxBytes }] };
  }
}

function bytesOf(waiting: WaitingBytes, { topicId, partitions }: WantedTopic<WantedPartition>): number {
  return waiting.bytesOf(topicId, partitions[0]!.partition);
}

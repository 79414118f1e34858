import { partsOf, rotated, type WantedPartition, type WantedTopic } from './fetch-caution.ts';
import { type FetchedTopic, type Swell, Swelling } from './swelling.ts';

const MIB = 1024 * 1024;
/** Messages of a source that may wait in memory, in bytes; past that, only what of partitions in which nothing waits. */
const ROOM_BYTES = 16 * MIB;
/** Beyond it, for those, and for what was on its way from several brokers at once; past that nothing is fetched. */
const RESERVE_BYTES = 8 * MIB;
/** How long a fetch may wait for messages while partitions are left out of it: they are to come again soon once they have room. */
const TIGHT_WAIT_MS = 50;
/** What a partition may bring into memory of which little has come lately, where there are few. */
const QUIET_BYTES = MIB;
/** How many times as much a partition may bring as it did last. */
const GROWTH = 4;
/** A message of the usual size is given wherever its partition stands among those that are asked; to as many, in turn, as there is room for. */
const LEAST_BYTES = 1024;
/** A broker that is not asked for so long leads nothing that is wanted: longer than an answer may take. */
const LEADS_MS = 60_000;

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
 * is asked for of all of them would take that half in memory, as far as their messages are known, however many they are; the stream is never
 * paused, because the others' messages would wait in it behind those that are slow. The half is shared by what came of each lately: one that gives all that it
 * is asked for is asked for more, until all of it is given out, and a silent one has little, whatever is known of it.
 *
 * What waits is room and reserve at most, and beyond them one answer of each broker that was on its way. Such an answer is more than was
 * asked for where a batch is, since brokers give one at least, or where partitions' messages have become smaller: at most what
 * `guardInflation` lets pass. Where slow partitions have batches so large that one of each fills room and reserve, all wait for them.
 */
export class FetchRoom {
  readonly #swelling = new Swelling();
  readonly #steadyMs: () => number;
  /** Brokers that are asked, each by itself, and share what is free; and when each was last. */
  readonly #nodes = new Map<number | undefined, number>();
  #waiting: WaitingBytes | null = null;
  #turn = 0;

  constructor(steadyMs = () => performance.now()) {
    this.#steadyMs = steadyMs;
  }

  /** From now on this is what waits. */
  watch(waiting: WaitingBytes): void {
    this.#waiting = waiting;
  }

  /** Something waits: what comes next may do so for long. */
  get isWaiting(): boolean {
    return this.#waiting !== null && this.#waiting.bytes > 0;
  }

  /** This has come of what was asked for, and will wait. */
  learn(fetched: readonly FetchedTopic[], asked: readonly WantedTopic<WantedPartition>[]): void {
    this.#swelling.learn(fetched, asked);
  }

  /** What to ask a broker for, of what is wanted of it; no topics where none has room. */
  limit<Partition extends LimitedPartition, Asked extends Wanted<Partition>>(wanted: Asked): Asked {
    const waiting = this.#waiting;
    if (waiting === null) return wanted;
    const part = Math.max(0, ROOM_BYTES - waiting.bytes) / 2;
    const all = partsOf(wanted.topics);
    const free = waiting.bytes > ROOM_BYTES + RESERVE_BYTES ? [] : all.filter((one) => bytesOf(waiting, one) <= part);
    const topics = this.#shared(free, part / this.#sharers(wanted.node));
    const most = topics.reduce((sum, { partitions }) => sum + partitions[0]!.partitionMaxBytes, 0);
    // The broker gives a batch at least.
    const maxBytes = Math.max(1, Math.min(wanted.maxBytes ?? ROOM_BYTES, most));
    const maxWaitTime = Math.min(wanted.maxWaitTime ?? TIGHT_WAIT_MS, TIGHT_WAIT_MS);
    return { ...wanted, topics, maxBytes, ...(free.length < all.length && { maxWaitTime }) };
  }

  /** How many brokers are asked. One that has not been for long leads no partition any more. */
  #sharers(node: number | undefined): number {
    const nowMs = this.#steadyMs();
    this.#nodes.set(node, nowMs);
    for (const [other, askedMs] of this.#nodes) if (nowMs - askedMs > LEADS_MS) this.#nodes.delete(other);
    return this.#nodes.size;
  }

  /** @param share what all of them may take in memory */
  #shared<Partition extends LimitedPartition>(free: readonly WantedTopic<Partition>[], share: number) {
    // The broker fills the answer in the order in which it is asked.
    const parts = rotated(free, this.#turn);
    const known = parts.map(({ topicId, partitions }) => this.#swelling.of(topicId, partitions[0]!.partition));
    const half = share / 2;
    const least = Math.min(QUIET_BYTES, half / parts.length);
    const grown = known.map(({ lastBytes }) => Math.min(half, lastBytes * GROWTH));
    const scale = Math.min(1, half / Math.max(1, sumOf(grown)));
    const sizes = parts.map((one, i) => boundOf(one, (least + grown[i]! * scale) / known[i]!.times));
    const left = share - sumOf(sizes.map((bytes, i) => bytes * known[i]!.times));
    const raised = countRaised(sizes, known, left);
    // The next time others are raised.
    this.#turn += raised === parts.length ? 1 : Math.max(1, raised);
    return parts.map((one, i) => bounded(one, i < raised ? Math.max(LEAST_BYTES, sizes[i]!) : sizes[i]!));
  }
}

/** By a power of two: what changes from one fetch to the next is told to the broker anew. @returns bytes of a fetch */
function boundOf({ partitions }: WantedTopic<LimitedPartition>, bytes: number): number {
  return Math.min(partitions[0]!.partitionMaxBytes ?? MIB, 2 ** Math.floor(Math.log2(Math.max(1, bytes))));
}

/** @param left what is not given out yet, in memory @returns how many, from the first on, may be asked for a message of the usual size */
function countRaised(sizes: readonly number[], known: readonly Swell[], left: number): number {
  let room = left;
  for (const [i, bytes] of sizes.entries()) {
    room -= Math.max(0, LEAST_BYTES - bytes) * known[i]!.times;
    if (room < 0) return i;
  }
  return sizes.length;
}

function bounded<Partition extends LimitedPartition>(
  { topicId, partitions }: WantedTopic<Partition>,
  partitionMaxBytes: number,
): WantedTopic<Partition & { readonly partitionMaxBytes: number }> {
  return { topicId, partitions: [{ ...(partitions[0] as Partition), partitionMaxBytes }] };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function bytesOf(waiting: WaitingBytes, { topicId, partitions }: WantedTopic<WantedPartition>): number {
  return waiting.bytesOf(topicId, partitions[0]!.partition);
}

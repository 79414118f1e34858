import type { InflationError } from '../brokers/guard-inflation.ts';

/** How long batches are fetched one by one after an answer of several was too large. */
const CAREFUL_MS = 60_000;
/** After how long a batch that is too large is asked for again: only retention can change that it is. */
const HELD_MS = 600_000;

export interface WantedPartition {
  readonly partition: number;
  readonly fetchOffset: bigint;
}

export interface WantedTopic<Partition extends WantedPartition> {
  readonly topicId: string;
  readonly partitions: Partition[];
}

/** What to ask for: as much as usual, a batch of any of the partitions, or a batch of the only one. */
export type FetchSize = 'usual' | 'one' | 'alone';

export interface Choice<Partition extends WantedPartition> {
  readonly topics: WantedTopic<Partition>[];
  readonly size: FetchSize;
}

/** Why a partition is held: its log ends before the group's place, or its next batch is too large. */
export type HeldReason = 'cut_off' | 'too_large';

/** One more partition is held for this reason, or one less. */
export type OnHolding = (reason: HeldReason, change: 1 | -1) => void;

/** A partition whose next batch cannot be taken. */
interface Held {
  readonly reason: HeldReason;
  readonly offset: bigint;
  readonly text: string;
  retryMs: number;
}

/**
 * What a source fetches at a time. Where the batches of an answer are too large together once they are inflated, a fetch asks for one batch
 * of any partition, for a minute. Where that is too large as well, each partition is asked alone, until it is found whose it is: that one
 * is held, and the others go on.
 */
export class FetchCaution {
  readonly #steadyMs: () => number;
  readonly #onHolding: OnHolding;
  readonly #held = new Map<string, Held>();
  /** Partitions of which one has a batch that is too large. */
  readonly #suspects = new Set<string>();
  #turn = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(steadyMs = () => performance.now(), onHolding: OnHolding = () => {}) {
    this.#steadyMs = steadyMs;
    this.#onHolding = onHolding;
  }

  /** What to ask a broker for, of what is wanted of it; no topics where all is held. */
  choose<Partition extends WantedPartition>(wanted: WantedTopic<Partition>[]): Choice<Partition> {
    const nowMs = this.#steadyMs();
    const isCareful = nowMs < this.#untilMs;
    if (!isCareful && this.#held.size === 0) return { topics: wanted, size: 'usual' };
    const free: WantedTopic<Partition>[] = [];
    for (const part of partsOf(wanted)) {
      const held = this.#heldOf(part);
      if (held === undefined) free.push(part);
      else if (nowMs >= held.retryMs) {
        held.retryMs = nowMs + HELD_MS;
        return { topics: [part], size: 'alone' };
      }
    }
    if (!isCareful) return { topics: free, size: 'usual' };
    const suspect = free.find((part) => this.#suspects.delete(keyOf(part)));
    return suspect === undefined
      ? { topics: rotated(free, this.#turn++), size: 'one' }
      : { topics: [suspect], size: 'alone' };
  }

  /**
   * The answer to a choice was too large.
   * @param nameOf of a topic, by its id
   * @returns what to tell of it; null where the same is asked for once more, in parts
   */
  refuse(error: InflationError, choice: Choice<WantedPartition>, nameOf: (id: string) => string): Error | null {
    if (choice.size !== 'alone') this.#untilMs = this.#steadyMs() + CAREFUL_MS;
    switch (choice.size) {
      case 'usual':
        return null;
      case 'one':
        for (const part of partsOf(choice.topics)) this.#suspects.add(keyOf(part));
        return null;
      case 'alone':
        return this.#hold(choice.topics[0]!, error, nameOf);
    }
  }

  /** Nothing that comes of a partition could be right before the group is elsewhere there. @returns what to tell of it */
  lose(topicId: string, { partition, fetchOffset: offset }: WantedPartition, text: string): Error {
    this.#keep(partitionKey(topicId, partition), {
      reason: 'cut_off',
      offset,
      text,
      retryMs: Number.POSITIVE_INFINITY,
    });
    return new Error(text);
  }

  /** The group has met anew: partitions that are others' now are others' concern. @param keys as of `partitionKey` */
  assign(keys: ReadonlySet<string>): void {
    this.#suspects.clear();
    for (const key of this.#held.keys()) if (!keys.has(key)) this.#free(key);
  }

  /** Why partitions of this process are held, or one of them. */
  get error(): string | null {
    const [first] = this.#held.values();
    if (first === undefined) return null;
    return this.#held.size === 1 ? first.text : `${first.text} So it is with ${this.#held.size - 1} more.`;
  }

  #hold(part: WantedTopic<WantedPartition>, error: InflationError, nameOf: (id: string) => string): Error {
    const { partition, fetchOffset } = part.partitions[0]!;
    const last = error.lastOffset ?? fetchOffset;
    const text = `The batch of messages in ${nameOf(part.topicId)}/${partition} up to offset ${last} cannot be taken into memory (${error.message}). To go on without it, set the offset of the group there to ${last + 1n}.`;
    const retryMs = this.#steadyMs() + HELD_MS;
    this.#keep(keyOf(part), { reason: 'too_large', offset: fetchOffset, text, retryMs });
    this.#suspects.clear();
    return new Error(text);
  }

  #keep(key: string, held: Held): void {
    this.#free(key);
    this.#held.set(key, held);
    this.#onHolding(held.reason, 1);
  }

  #free(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#onHolding(held.reason, -1);
  }

  /** None where the group is elsewhere meanwhile. */
  #heldOf(part: WantedTopic<WantedPartition>): Held | undefined {
    const held = this.#held.get(keyOf(part));
    if (held === undefined || held.offset === part.partitions[0]!.fetchOffset) return held;
    this.#free(keyOf(part));
    return undefined;
  }
}

export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

/**
 * Brokers go by the order of what is asked where they know the asker no longer: a partition that is never empty must not always be the first.
 * @param turn one more each time
 */
export function rotated<Part>(parts: readonly Part[], turn: number): Part[] {
  const first = turn % Math.max(1, parts.length);
  return [...parts.slice(first), ...parts.slice(0, first)];
}

/** Each partition by itself. */
export function partsOf<Partition extends WantedPartition>(
  wanted: readonly WantedTopic<Partition>[],
): WantedTopic<Partition>[] {
  return wanted.flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => ({ topicId, partitions: [partition] })),
  );
}

function keyOf({ topicId, partitions }: WantedTopic<WantedPartition>): string {
  return partitionKey(topicId, partitions[0]!.partition);
}

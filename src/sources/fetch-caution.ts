import type { InflationError } from '../brokers/guard-inflation.ts';

/** How long batches are fetched one by one after an answer of several was too large. */
const CAREFUL_MS = 60_000;
/** How long a partition is left alone whose next batch is too large: only retention can change that it is. */
const HELD_MS = 600_000;
/** A partition that nobody has wanted for so long is somebody else's. */
const WANTED_MS = 30_000;

export interface WantedPartition {
  readonly partition: number;
  readonly fetchOffset: bigint;
}

export interface WantedTopic<Partition extends WantedPartition> {
  readonly topicId: string;
  readonly partitions: Partition[];
}

export interface Choice<Partition extends WantedPartition> {
  readonly topics: WantedTopic<Partition>[];
  /** No more than a batch is to be fetched, and of these topics and their partitions there is one at the most. */
  readonly isAlone: boolean;
}

/** A partition whose next batch cannot be taken. */
interface Held {
  readonly offset: bigint;
  readonly untilMs: number;
  readonly text: string;
  wantedMs: number;
}

/**
 * What a source fetches at a time. Where several batches together are too large once they are inflated, each may still be had alone: for a minute, and for
 * another whenever that happens again, a fetch asks for one batch of one partition, in turns. Where that is too large too, its partition is held, and the others go on.
 */
export class FetchCaution {
  readonly #nowMs: () => number;
  readonly #held = new Map<string, Held>();
  /** When partitions were asked alone, as numbers that rise. */
  readonly #asked = new Map<string, number>();
  #turn = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** What to ask a broker for, of what is wanted of it; none where all is held. */
  choose<Partition extends WantedPartition>(wanted: WantedTopic<Partition>[]): Choice<Partition> {
    const isAlone = this.#nowMs() < this.#untilMs;
    if (!isAlone) this.#asked.clear();
    if (!isAlone && this.#held.size === 0) return { topics: wanted, isAlone };
    const free = partsOf(wanted).filter((part) => !this.#isHeld(part));
    if (!isAlone || free.length === 0) return { topics: free, isAlone };
    const turnOf = (part: WantedTopic<Partition>) => this.#asked.get(keyOf(part)) ?? 0;
    const next = free.reduce((first, part) => (turnOf(part) < turnOf(first) ? part : first));
    this.#asked.set(keyOf(next), ++this.#turn);
    return { topics: [next], isAlone };
  }

  /**
   * An answer to a choice was too large.
   * @param nameOf of a topic, by its id
   * @returns what to tell of it; null where the same is asked for once more, in parts
   */
  refuse(
    error: InflationError,
    { topics, isAlone }: Choice<WantedPartition>,
    nameOf: (id: string) => string,
  ): Error | null {
    const nowMs = this.#nowMs();
    this.#untilMs = nowMs + CAREFUL_MS;
    const [part] = topics;
    if (!isAlone || part === undefined) return null;
    for (const [key, { untilMs }] of this.#held) if (untilMs <= nowMs) this.#held.delete(key);
    const { partition, fetchOffset: offset } = part.partitions[0]!;
    const text = `The batch of messages at ${nameOf(part.topicId)}/${partition}/${offset} cannot be taken into memory: set the offset of the group past it, or let its producer send smaller batches (${error.message}).`;
    this.#held.set(keyOf(part), { offset, untilMs: nowMs + HELD_MS, text, wantedMs: nowMs });
    return new Error(text);
  }

  /** Why partitions of this process are held, or one of them. */
  get error(): string | null {
    const sinceMs = this.#nowMs() - WANTED_MS;
    const texts = [...this.#held.values()].filter(({ wantedMs }) => wantedMs >= sinceMs).map(({ text }) => text);
    if (texts.length < 2) return texts[0] ?? null;
    return `${texts[0]} So it is with ${texts.length - 1} more.`;
  }

  #isHeld(part: WantedTopic<WantedPartition>): boolean {
    const key = keyOf(part);
    const held = this.#held.get(key);
    if (held === undefined) return false;
    const nowMs = this.#nowMs();
    held.wantedMs = nowMs;
    if (held.offset === part.partitions[0]!.fetchOffset && nowMs < held.untilMs) return true;
    this.#held.delete(key);
    return false;
  }
}

/** Each partition by itself. */
function partsOf<Partition extends WantedPartition>(
  wanted: readonly WantedTopic<Partition>[],
): WantedTopic<Partition>[] {
  return wanted.flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => ({ topicId, partitions: [partition] })),
  );
}

function keyOf({ topicId, partitions }: WantedTopic<WantedPartition>): string {
  return `${topicId}/${partitions[0]!.partition}`;
}

import { isControl } from './drop-aborted.ts';
import { partitionKey, type WantedPartition, type WantedTopic } from './fetch-caution.ts';
import { messageBytes } from './message-bytes.ts';

/** Of a partition of which nothing has come yet: messages of a hundred bytes, compressed to a tenth. */
const UNKNOWN = 64;
/** After about so many bytes a partition counts for what has come lately: one message alone says little of the batches of a backlog. */
const FORGET_BYTES = 1024 * 1024;
/** Of a batch, which its length leaves out. */
const HEAD_BYTES = 12;

type Bytes = { readonly length: number } | null;

/** What a broker answers a fetch with, as far as its size is concerned. */
export interface FetchedTopic {
  readonly topicId: string;
  readonly partitions: readonly { readonly partitionIndex: number; readonly records?: readonly Batch[] | null }[];
}

interface Batch {
  readonly attributes: number;
  /** Compressed. */
  readonly length: number;
  readonly records: readonly {
    readonly key: Bytes;
    readonly value: Bytes;
    readonly headers: Iterable<[Bytes, Bytes]>;
  }[];
}

/** What is known of a partition. */
export interface Swell {
  /** How many bytes a byte of a fetch takes in memory. */
  readonly times: number;
  /** What came last, in bytes of memory; half as much with each fetch since that brought nothing. */
  readonly lastBytes: number;
}

const NOTHING_YET: Swell = { times: UNKNOWN, lastBytes: 0 };

/**
 * What comes of partitions, and what it takes in memory: brokers count what they send, compressed, and small messages take most of their
 * room beside their bytes.
 */
export class Swelling {
  readonly #learnt = new Map<string, Swell>();

  /** What has come of what was asked for. A partition that swells more counts for it at once, one that swells less by and by. */
  learn(fetched: readonly FetchedTopic[], asked: readonly WantedTopic<WantedPartition>[]): void {
    const brought = new Set<string>();
    for (const { topicId, partitions } of fetched)
      for (const { partitionIndex, records } of partitions) {
        const key = partitionKey(topicId, partitionIndex);
        if (this.#learn(key, records ?? [])) brought.add(key);
      }
    for (const { topicId, partitions } of asked)
      for (const { partition } of partitions) {
        const key = partitionKey(topicId, partition);
        if (!brought.has(key)) this.#age(key);
      }
  }

  /** Of a partition of which nothing has come yet, what comes is taken to be large. */
  of(topicId: string, partition: number): Swell {
    return this.#learnt.get(partitionKey(topicId, partition)) ?? NOTHING_YET;
  }

  /** @returns whether a message was there */
  #learn(key: string, batches: readonly Batch[]): boolean {
    let sent = 0;
    let taken = 0;
    for (const batch of batches) {
      // What a producer took back, and marks of transactions, say nothing of the rest.
      if (batch.records.length === 0 || isControl(batch)) continue;
      sent += HEAD_BYTES + batch.length;
      for (const { value, key: name, headers } of batch.records) taken += messageBytes(value, name, headers);
    }
    if (sent === 0) return false;
    const now = taken / sent;
    const before = this.#learnt.get(key)?.times ?? now;
    const times = now > before ? now : before + (now - before) * Math.min(1, sent / FORGET_BYTES);
    this.#learnt.set(key, { times, lastBytes: taken });
    return true;
  }

  /** A batch that was like no other says ever less of what comes after a silence. */
  #age(key: string): void {
    const before = this.#learnt.get(key);
    if (before === undefined) return;
    const times = before.times > UNKNOWN ? Math.max(UNKNOWN, before.times / 2) : before.times;
    this.#learnt.set(key, { times, lastBytes: before.lastBytes / 2 });
  }
}

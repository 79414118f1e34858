import { partitionKey } from './fetch-caution.ts';
import { messageBytes } from './message-bytes.ts';

/** Of a source of which nothing has come yet: messages of a hundred bytes, compressed to a tenth. */
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
  /** Compressed. */
  readonly length: number;
  readonly records: readonly {
    readonly key: Bytes;
    readonly value: Bytes;
    readonly headers: Iterable<[Bytes, Bytes]>;
  }[];
}

/**
 * How many bytes a byte of a fetch takes in memory, by partition: brokers count what they send, compressed, and small messages take most of
 * their room beside their bytes.
 */
export class Swelling {
  readonly #learnt = new Map<string, number>();

  /** What has come. A partition that swells more counts for it at once, one that swells less by and by. */
  learn(fetched: readonly FetchedTopic[]): void {
    for (const { topicId, partitions } of fetched)
      for (const { partitionIndex, records } of partitions)
        this.#learn(partitionKey(topicId, partitionIndex), records ?? []);
  }

  /** Of a partition of which nothing has come yet, it is taken to be large. */
  of(topicId: string, partition: number): number {
    return this.#learnt.get(partitionKey(topicId, partition)) ?? UNKNOWN;
  }

  /** The largest of those that are known: most partitions of a source may have no messages at all. */
  mostOf(parts: readonly (readonly [topicId: string, partition: number])[]): number {
    let most = 0;
    for (const part of parts) most = Math.max(most, this.#learnt.get(partitionKey(...part)) ?? 0);
    return most === 0 ? UNKNOWN : most;
  }

  #learn(key: string, batches: readonly Batch[]): void {
    let sent = 0;
    let taken = 0;
    for (const { length, records } of batches) {
      // What a producer took back, and marks of transactions, say nothing of the rest.
      if (records.length === 0) continue;
      sent += HEAD_BYTES + length;
      for (const { value, key, headers } of records) taken += messageBytes(value, key, headers);
    }
    if (sent === 0) return;
    const before = this.#learnt.get(key) ?? UNKNOWN;
    const now = taken / sent;
    this.#learnt.set(key, now > before ? now : before + (now - before) * Math.min(1, sent / FORGET_BYTES));
  }
}

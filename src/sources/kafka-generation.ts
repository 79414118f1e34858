import type { MessagesStream } from '@platformatic/kafka';
import { guardKafka } from '../brokers/guard-kafka.ts';
import { unknownTopicsIn } from './failed-fetch.ts';
import type { WaitingBytes } from './fetch-room.ts';
import type { Intake } from './intake.ts';
import { type KafkaMessage, kafkaMessage } from './kafka-message.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import type { MemberConsumer } from './member-consumer.ts';
import { MessageLines } from './message-lines.ts';
import { OffsetCommitter, type PartitionOffset } from './offset-committer.ts';
import { Pump } from './pump.ts';
import type { Standings } from './standings.ts';

const FETCH_BYTES = 4 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;
const FETCH_WAIT_MS = 500;
const BUFFERED_MESSAGES = 1_024;

export interface GenerationOptions {
  readonly consumer: MemberConsumer;
  readonly topics: KafkaTopics;
  readonly intake: Intake;
  readonly isHeld: boolean;
  /** Outlives the generation. */
  readonly standings: Standings;
  readonly onOffset: (offset: PartitionOffset) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onCommitFailure: (error: unknown) => void;
  /** A connection broke. */
  readonly onFault: (error: unknown) => void;
  /** The stream broke: the session must begin anew. */
  readonly onBroken: (error: unknown) => void;
}

/**
 * What a member of the group does between two rebalances: reads the partitions that it was given from where the group is, and takes them
 * in. With the next rebalance all that waits here is dropped and read again, by whoever is given the partition then.
 */
export class KafkaGeneration {
  readonly #options: GenerationOptions;
  readonly #lines = new MessageLines<KafkaMessage>();
  readonly #pump: Pump<KafkaMessage>;
  readonly #committer: OffsetCommitter;
  readonly #abort = new AbortController();
  /** Names of topics that are not what was read any more. */
  readonly #gone = new Set<string>();
  #stream: MessagesStream<Buffer, Buffer, Buffer, Buffer> | null = null;
  #pumping: Promise<void> = Promise.resolve();

  constructor(options: GenerationOptions) {
    this.#options = options;
    const { consumer, intake, standings, onTrouble, onCommitFailure } = options;
    const { membership } = consumer;
    this.#committer = new OffsetCommitter(async (offsets) => {
      const known = offsets.filter(({ topic }) => !this.#gone.has(topic));
      if (known.length > 0) await consumer.tell(known, membership);
    }, onCommitFailure);
    this.#pump = new Pump({
      lines: this.#lines,
      intake,
      onDone: (batch) => this.#done(batch),
      onTrouble,
      standings,
      steadyMs: () => performance.now(),
    });
    this.#pump.hold(options.isHeld);
  }

  async open(): Promise<void> {
    const { consumer, topics, onFault, onBroken } = this.#options;
    consumer.room.watch(this.#waiting());
    const stream = await consumer.consume({
      topics: [...topics.keys()],
      mode: 'committed',
      // Where the group has been nowhere yet, or what it has not read is gone.
      fallbackMode: 'earliest',
      autocommit: false,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: PARTITION_BYTES,
      maxWaitTime: FETCH_WAIT_MS,
      highWaterMark: BUFFERED_MESSAGES,
    });
    guardKafka(stream, onFault);
    this.#stream = stream;
    stream.on('error', (error) => {
      const unknown = new Set(unknownTopicsIn(error));
      this.forget([...topics].filter(([, { id }]) => unknown.has(id)).map(([name]) => name));
      if (!this.#abort.signal.aborted) onBroken(error);
    });
    stream.on('data', (record) => {
      const topic = topics.get(record.topic);
      if (topic === undefined || this.#abort.signal.aborted) return;
      this.#lines.push(kafkaMessage(record, topic.id));
      this.#pump.wake();
    });
    this.#pumping = this.#pump.run(this.#abort.signal);
  }

  hold(isHeld: boolean): void {
    this.#pump.hold(isHeld);
  }

  /** These were deleted, or made anew: the group is told by their names, and would begin in the new ones where it was in the old. */
  forget(topics: readonly string[]): void {
    for (const topic of topics) this.#gone.add(topic);
  }

  /** Nothing before this is still to be taken in. */
  reach(offset: PartitionOffset): void {
    this.#committer.add(offset);
    this.#options.onOffset(offset);
  }

  /**
   * Ends once the batch under way has ended and the broker was told of it, as far as it can be told within seconds.
   * @param isBroken the broker has just failed the session: it is not asked again for what it could not be told
   */
  async close(isBroken = false): Promise<void> {
    this.#abort.abort();
    const closing = this.#stream?.close().catch(() => {});
    await this.#pumping;
    await this.#committer.close(isBroken);
    await closing;
  }

  #done(batch: readonly KafkaMessage[]): void {
    for (const { topic, partition, offset, leaderEpoch } of lastOfEach(batch))
      this.reach({ topic, partition, offset: offset + 1n, leaderEpoch });
  }

  #waiting(): WaitingBytes {
    const lines = this.#lines;
    const names = new Map([...this.#options.topics].map(([name, { id }]) => [id, name]));
    return {
      get bytes() {
        return lines.bytes;
      },
      bytesOf: (topicId, partition) => lines.bytesOf(`${names.get(topicId)}/${partition}`),
    };
  }
}

function lastOfEach(batch: readonly KafkaMessage[]): Iterable<KafkaMessage> {
  return new Map(batch.map((message) => [message.group, message])).values();
}

import type { Message } from '@platformatic/kafka';
import type { IncomingMessage } from './intake.ts';
import { sentAt } from './sent-at.ts';

/** A record of a partition. */
export interface KafkaMessage extends IncomingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

type Record = Pick<
  Message,
  'topic' | 'partition' | 'offset' | 'leaderEpoch' | 'key' | 'value' | 'timestamp' | 'headers'
>;

/**
 * A record as sources know messages. It is known by its topic's id and its leader's epoch, beside partition and offset: a topic that was
 * deleted and made anew counts from 0 again, and after an unclean election offsets are given twice. The offset comes last: keys that differ
 * in their last number alone are neighbours in their index (`keyPlace`).
 */
export function kafkaMessage(record: Record, topicId: string): KafkaMessage {
  const { topic, partition, offset, leaderEpoch, key, value, timestamp, headers } = record;
  return {
    topic,
    partition,
    offset,
    leaderEpoch,
    position: `${topic}/${partition}/${offset}`,
    identity: `${topicId}/${partition}/${leaderEpoch}/${offset}`,
    group: `${topic}/${partition}`,
    attributes: new Map([
      ['topic', topic],
      ['partition', String(partition)],
      ['offset', String(offset)],
    ]),
    key: key ?? null,
    headers: new Map([...headers].map(([name, bytes]) => [name?.toString() ?? '', bytes ?? NO_BYTES])),
    body: value ?? NO_BYTES,
    timestampMs: sentAt(timestamp),
  };
}

const NO_BYTES = new Uint8Array(0);

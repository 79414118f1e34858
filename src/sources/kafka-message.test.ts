import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { newId } from '../domain/ids.ts';
import { sourceKey } from '../ingest/dedup-key.ts';
import { kafkaMessage } from './kafka-message.ts';

const topicId = randomUUID();
const sourceId = newId('src', Date.now());

function keyOf(fields: { partition?: number; offset?: bigint; leaderEpoch?: number }, topic = topicId): string {
  const record = {
    topic: 'orders',
    partition: 3,
    offset: 41n,
    leaderEpoch: 7,
    timestamp: 0n,
    headers: new Map(),
    ...fields,
  };
  return sourceKey(sourceId, kafkaMessage({ key: undefined, value: undefined, ...record } as never, topic).identity!);
}

test('a record is known by topic id, partition, offset and leader epoch, and by nothing else', () => {
  const others = [keyOf({ partition: 4 }), keyOf({ offset: 42n }), keyOf({ leaderEpoch: 8 }), keyOf({}, randomUUID())];
  expect(new Set([keyOf({}), ...others]).size).toBe(5);
  expect(keyOf({})).toBe(keyOf({}));
});

test('offsets of a partition are neighbours in the index of keys, a thousand at a time', () => {
  const places = [5_000n, 5_001n, 5_999n, 6_000n].map((offset) => keyOf({ offset }).slice(0, 6));
  expect(new Set(places.slice(0, 3)).size).toBe(1);
  expect(places[3]).not.toBe(places[0]);
});

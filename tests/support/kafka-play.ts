import { expect } from 'vitest';
import { call } from './api.ts';
import { eventually } from './eventually.ts';
import type { KafkaClient } from './kafka-client.ts';
import { createSource, kafkaSource } from './kafka-source.ts';
import { PATIENCE_MS } from './patience.ts';
import { type Stage, TENANT } from './stage.ts';

/** Kafka waits for the session of a dead member to run out, on top of everything else. */
export const LONG_MS = 2 * PATIENCE_MS;
export const PARTITIONS = 4;

let topics = 0;

/** A topic, a tenant and a source that consumes it, and messages whose `data.n` tells which they are. */
export async function createKafkaPlay(
  kafka: Pick<KafkaClient, 'createTopic' | 'send'> & { readonly broker: string },
  stage: Stage,
  baseUrl: string,
) {
  const topic = `chaos-${process.pid}-${++topics}`;
  await kafka.createTopic(topic, PARTITIONS);
  await eventually(
    () => call(baseUrl, 'POST', '/v1/tenants', { id: TENANT }),
    ({ status }) => status === 201 || status === 409,
  );
  const source = await createSource(baseUrl, kafkaSource(kafka.broker, [topic]));
  return {
    topic,
    group: `posthorn-${topic}`,
    source,
    /** Messages `from` to `to`, in turn to every partition. */
    send: (from: number, to: number) =>
      kafka.send(
        Array.from({ length: to - from }, (_, i) => {
          const n = from + i;
          return { topic, partition: n % PARTITIONS, value: JSON.stringify({ type: 'chaos.message', data: { n } }) };
        }),
      ),
    /** Every `data.n` of the log, in its order, once there are so many. Postgres may be away meanwhile. */
    untilLogged: (count: number): Promise<number[]> => {
      const ask = async () => {
        const rows = await stage.query('SELECT body FROM events ORDER BY id').catch(() => []);
        return rows.map(({ body }) => JSON.parse(body.toString()).data.n as number);
      };
      return eventually(ask, (found) => found.length >= count, LONG_MS);
    },
  };
}

/** G1 and the order of partitions: each once, rising within each partition. */
export function expectWhole(logged: readonly number[], count: number): void {
  expect([...logged].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const ours = logged.filter((n) => n % PARTITIONS === partition);
    expect(ours).toEqual([...ours].sort((a, b) => a - b));
  }
}

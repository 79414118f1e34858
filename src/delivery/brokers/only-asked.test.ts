import { kGetApi, Producer } from '@platformatic/kafka';
import { expect, test, vi } from 'vitest';
import { DeliveryFailure } from '../classify.ts';
import { GuardedProducer } from './guarded-producer.ts';
import type { KafkaGuard } from './kafka-connections.ts';
import { onlyAsked } from './only-asked.ts';

type Answered = (error: unknown, response?: unknown) => void;

/** What comes of an answer to a call for the topic `events`. */
function answerOf(error: unknown, response?: unknown): Promise<readonly [unknown, unknown]> {
  const api = Object.assign((...given: unknown[]) => (given.at(-1) as Answered)(error, response), { version: 12 });
  const asked = onlyAsked(api);
  expect(asked.version).toBe(12);
  return new Promise((resolve) =>
    asked({}, ['events'], false, false, (...answer: unknown[]) => resolve([answer[0], answer[1]])),
  );
}

test('of the topics in an answer those that were asked for are kept, and no others', async () => {
  const [events, other, unnamed] = [{ name: 'events' }, { name: 'other' }, { name: null }];
  const [error, response] = await answerOf(null, { brokers: [{}], topics: [other, events, unnamed] });
  expect(error).toBeNull();
  expect(response).toEqual({ brokers: [{}], topics: [events] });
});

test('a cluster of more brokers than there are anywhere is none', async () => {
  const brokers = (count: number) => answerOf(null, { brokers: Array(count).fill({}), topics: [] });
  expect(await brokers(1_000)).toEqual([null, expect.anything()]);
  expect(await brokers(1_001)).toEqual([expect.any(DeliveryFailure), undefined]);
});

test('what goes wrong with the call is passed on', async () => {
  const error = new Error('closed');
  expect(await answerOf(error)).toEqual([error, undefined]);
});

test('the producer that sends goes by it when it asks for metadata', () => {
  const call = () => {};
  const given = vi
    .spyOn(Producer.prototype, kGetApi)
    .mockImplementation((_name, callback) => callback(null, call as never));
  const guard = {} as unknown as KafkaGuard;
  const producer = new GuardedProducer({ clientId: 'test', bootstrapBrokers: ['127.0.0.1:1'] } as never, [], guard);
  const apis: unknown[] = [];
  for (const name of ['Metadata', 'Produce']) producer[kGetApi](name, (_error, api) => apis.push(api));
  given.mockRestore();
  expect(apis[0]).not.toBe(call);
  expect(apis[1]).toBe(call);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KafkaDestination } from '../../domain/destination.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { collectGarbage } from '../fixtures/collect-garbage.ts';
import { fakeResolver } from '../fixtures/delivery-rig.ts';
import type { KafkaMessage } from '../prepare.ts';
import { KafkaLine } from './kafka-line.ts';
import { Shipment } from './shipment.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const LONG_MS = 10 * 60_000;
const TOO_LARGE_TO_SHARE = Buffer.alloc(400 * 1024);

type Produce = (topic: string, shipments: readonly Shipment<KafkaMessage>[]) => Promise<void>;

/** A line whose clients do with each batch as told, and what became of its messages. */
function rig(produce: Produce, open: () => void = () => {}) {
  const seen = { opened: 0, destroyed: 0, topics: [] as string[], outcomes: [] as Outcome[] };
  const client = {
    produce: (topic: string, shipments: readonly Shipment<KafkaMessage>[]) => {
      seen.topics.push(topic);
      return produce(topic, shipments);
    },
    destroy: () => void seen.destroyed++,
  };
  const egress = { policy: compileEgressPolicy({}), resolver: fakeResolver({}) };
  const line = new KafkaLine(destinationOf('events'), egress, async () => {
    seen.opened++;
    open();
    return client;
  });
  const host = { ended: () => {}, abandoned: () => {}, late: (late: Shipment<KafkaMessage>) => line.late(late) };
  const send = (topic: string) => {
    const message = {
      type: 'kafka',
      destination: destinationOf(topic),
      key: null,
      tenantNum: 1,
      headers: [] as string[],
    } as const;
    const body = { body: TOO_LARGE_TO_SHARE, timeoutMs: 5_000 };
    const shipment = new Shipment<KafkaMessage>(host, { ...message, ...body }, (outcome) =>
      seen.outcomes.push(outcome),
    );
    line.send(shipment);
    return shipment;
  };
  return { seen, send };
}

const destinationOf = (topic: string): KafkaDestination => ({
  type: 'kafka',
  ...{ brokers: ['a.test:9092'], topic, key: 'subject', tls: false, ca: null, sasl: null },
});
const endAll: Produce = async (_topic, shipments) => {
  for (const shipment of shipments) shipment.end({ kind: 'delivered', receipt: {} });
};

test('batches that the client never ends give their places back, and it is closed', async () => {
  let isLost = true;
  const { seen, send } = rig((topic, shipments) => (isLost ? new Promise(() => {}) : endAll(topic, shipments)));
  const lost = [1, 2, 3, 4].map(() => send('events'));
  await vi.advanceTimersByTimeAsync(10);
  for (const shipment of lost) shipment.onDeadline();
  send('events');
  await vi.advanceTimersByTimeAsync(30_000);
  expect(seen).toMatchObject({ opened: 1, destroyed: 0, topics: { length: 4 } });
  isLost = false;
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(seen).toMatchObject({ opened: 2, destroyed: 4, topics: { length: 5 } });
  expect(seen.outcomes.at(-1)).toMatchObject({ kind: 'delivered' });
});

test('a batch that ends after its place was given back frees no second one', async () => {
  const ends: (() => void)[] = [];
  const { seen, send } = rig(() => new Promise((resolve) => ends.push(resolve)));
  for (let n = 0; n < 4; n++) send('events');
  await vi.advanceTimersByTimeAsync(LONG_MS);
  for (let n = 0; n < 4; n++) send('events');
  await vi.advanceTimersByTimeAsync(10);
  for (const end of ends.slice(0, 4)) end();
  send('events');
  await vi.advanceTimersByTimeAsync(10);
  expect(seen.topics).toHaveLength(8);
});

test('a topic with much to send does not keep the places from another', async () => {
  const ends: (() => void)[] = [];
  const { seen, send } = rig(() => new Promise((resolve) => ends.push(resolve)));
  for (let n = 0; n < 20; n++) send('much');
  await vi.advanceTimersByTimeAsync(10);
  send('little');
  ends.shift()!();
  await vi.advanceTimersByTimeAsync(10);
  ends.shift()!();
  await vi.advanceTimersByTimeAsync(10);
  expect(seen.topics.slice(4)).toContain('little');
});

test('a client that cannot be opened costs the messages that wait for it, and the next ones try anew', async () => {
  let fails = true;
  const { seen, send } = rig(endAll, () => {
    if (fails) throw new Error('no such module');
  });
  send('events');
  await vi.advanceTimersByTimeAsync(10);
  expect(seen.outcomes).toMatchObject([{ kind: 'unreachable' }]);
  fails = false;
  send('events');
  await vi.advanceTimersByTimeAsync(10);
  expect(seen.outcomes[1]).toMatchObject({ kind: 'delivered' });
});

test('what waits for a place is not kept in memory when its time is over', async () => {
  const { seen, send } = rig(() => new Promise(() => {}));
  for (let n = 0; n < 4; n++) send('events');
  await vi.advanceTimersByTimeAsync(10);
  const waiting = Array.from({ length: 20 }, () => send('events'));
  const refs = waiting.map((shipment) => new WeakRef(shipment));
  await vi.advanceTimersByTimeAsync(10);
  // Not by a loop of this function, which would hold the last one.
  waiting.splice(0).forEach((shipment) => void shipment.onDeadline());
  expect(seen.outcomes).toHaveLength(20);
  for (let n = 0; n < 10; n++) {
    await vi.advanceTimersByTimeAsync(1);
    collectGarbage();
  }
  expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  expect(seen.topics).toHaveLength(4);
});

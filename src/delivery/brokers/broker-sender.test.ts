import { afterEach, expect, test, vi } from 'vitest';
import type { KafkaDestination } from '../../domain/destination.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { compileEgressPolicy } from '../egress-policy.ts';
import { fakeResolver } from '../fixtures/delivery-rig.ts';
import type { KafkaMessage } from '../prepare.ts';
import { type BrokerSenderOptions, createBrokerSender } from './broker-sender.ts';
import type { Line } from './line-pool.ts';
import type { Shipment } from './shipment.ts';

const base: KafkaDestination = {
  type: 'kafka',
  ...{ brokers: ['a.test:9092'], topic: 'events', key: 'subject', tls: false, ca: null },
  sasl: { mechanism: 'PLAIN', username: 'u', password: 'hunter2' },
};
const message = (destination: KafkaDestination = base, tenantNum = 1, timeoutMs = 5_000): KafkaMessage => ({
  type: 'kafka',
  ...{ destination, key: null, tenantNum, headers: [], body: Buffer.from('{}'), timeoutMs },
});

class FakeLine implements Line<KafkaMessage> {
  readonly shipments: Shipment<KafkaMessage>[] = [];
  isClosed = false;
  send(shipment: Shipment<KafkaMessage>): void {
    this.shipments.push(shipment);
  }
  late(): string {
    return 'no answer';
  }
  close(): void {
    this.isClosed = true;
  }
}

function rig(options: Partial<BrokerSenderOptions> = {}) {
  const lines: FakeLine[] = [];
  const open = () => {
    const line = new FakeLine();
    lines.push(line);
    return line;
  };
  const egress = { policy: compileEgressPolicy({}), resolver: fakeResolver({}) };
  const sender = createBrokerSender<KafkaMessage>(open, { ...egress, tickMs: 10, ...options });
  const outcomes: Outcome[] = [];
  return {
    lines,
    sender,
    outcomes,
    send: (given: KafkaMessage) => sender.send(given, (outcome) => outcomes.push(outcome)),
  };
}

afterEach(() => vi.useRealTimers());

test('each message is reported once: what comes after its end changes nothing', () => {
  const { lines, sender, outcomes, send } = rig();
  send(message());
  expect(sender.inFlight).toBe(1);
  const [shipment] = lines[0]!.shipments;
  shipment!.end({ kind: 'delivered', receipt: { topic: 'events', partition: '0', offset: '7' } });
  shipment!.end({ kind: 'rejected', code: 'X', detail: 'x' });
  expect(outcomes).toEqual([
    {
      kind: 'delivered',
      response: {
        status: null,
        headers: { topic: 'events', partition: '0', offset: '7' },
        body: expect.anything(),
        truncated: false,
      },
      timing: expect.anything(),
    },
  ]);
  expect(sender.inFlight).toBe(0);
});

test('whatever a line does, an attempt ends with its time, and a late answer is of no account', async () => {
  const { lines, outcomes, send } = rig();
  send(message(base, 1, 50));
  await vi.waitFor(() => expect(outcomes).toHaveLength(1), 30_000);
  expect(outcomes[0]).toMatchObject({ kind: 'unreachable', reason: 'timeout', detail: 'no answer within 0.05 s' });
  expect(lines[0]!.shipments[0]!.isOver).toBe(true);
  lines[0]!.shipments[0]!.end({ kind: 'delivered', receipt: {} });
  expect(outcomes).toHaveLength(1);
});

test('what is aborted is counted and never reported', async () => {
  const { lines, sender, outcomes, send } = rig();
  send(message());
  send(message());
  expect(sender.abortAll()).toBe(2);
  lines[0]!.shipments[0]!.end({ kind: 'delivered', receipt: {} });
  expect([outcomes, sender.inFlight]).toEqual([[], 0]);
  await sender.close();
  expect(lines[0]!.isClosed).toBe(true);
  expect(() => send(message())).toThrow();
});

test('tenants, users and TLS settings have lines of their own; topics and keys share one', () => {
  const { lines, send } = rig();
  send(message());
  send(message({ ...base, topic: 'other', key: 'tenant' }));
  expect(lines).toHaveLength(1);
  send(message(base, 2));
  send(message({ ...base, sasl: { ...base.sasl!, password: 'other' } }));
  send(message({ ...base, tls: true }));
  send(message({ ...base, brokers: ['a.test:9092', 'b.test:9092'] }));
  expect(lines).toHaveLength(5);
});

test('lines that have been idle are closed, busy ones never, and past the bound an idle one makes room', () => {
  vi.useFakeTimers();
  const { lines, send } = rig({ maxLines: 2, idleMs: 60_000 });
  send(message(base, 1));
  send(message(base, 2));
  lines[1]!.shipments[0]!.end({ kind: 'delivered', receipt: {} });
  send(message(base, 3));
  expect(lines.map(({ isClosed }) => isClosed)).toEqual([false, true, false]);
  lines[2]!.shipments[0]!.end({ kind: 'delivered', receipt: {} });
  vi.advanceTimersByTime(4_000);
  expect(lines.map(({ isClosed }) => isClosed)).toEqual([false, true, false]);
  vi.advanceTimersByTime(60_000);
  expect(lines[2]!.isClosed).toBe(true);
});

test('a broker that repeats the password does not have it shown', () => {
  const { lines, outcomes, send } = rig();
  send(message());
  lines[0]!.shipments[0]!.end({ kind: 'rejected', code: 'X', detail: 'X: user u with hunter2 is unknown' });
  expect(outcomes[0]).toMatchObject({ detail: 'X: user u with *** is unknown', response: { headers: { code: 'X' } } });
});

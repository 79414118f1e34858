import { expect, test } from 'vitest';
import { rabbitmqConsume } from './rabbitmq-source.ts';

const queue = { name: 'q' };
const topic = { name: 'shop.events' };
const single = { ...queue, single_active_consumer: true };

test('what is not said is made durable: a topic exchange, a quorum queue, and one consumer', () => {
  expect(rabbitmqConsume.parse({ exchange: topic, queue, bindings: [{}] })).toEqual({
    exchange: { name: 'shop.events', type: 'topic', durable: true, declare: true },
    queue: { name: 'q', type: 'quorum', declare: true, single_active_consumer: false },
    bindings: [{ routing_key: '' }],
    prefetch: 250,
    consumers: 1,
  });
});

test.each([
  ['exchange.name', { exchange: { name: 'amq.topic' }, queue }],
  ['queue.delivery_limit', { queue: { ...queue, type: 'classic', delivery_limit: 5 } }],
  ['queue.delivery_limit', { queue: { ...queue, delivery_limit: 0 } }],
  ['exchange', { queue, bindings: [{ routing_key: '#' }] }],
  ['bindings', { exchange: topic, queue, bindings: [{ headers: { kind: 'order' } }] }],
  ['consumers', { queue: single, consumers: 2 }],
  ['queue.name', { queue: { name: 'é'.repeat(128) } }],
])('what no broker could do is refused at %s: %j', (path, consume) => {
  const issues = rabbitmqConsume.safeParse(consume).error?.issues ?? [];
  expect(issues.map((issue) => issue.path.join('.'))).toContain(path);
});

test.each([
  { exchange: { name: 'amq.topic', declare: false }, queue },
  { queue: { ...queue, delivery_limit: -1 } },
  { queue: { ...queue, type: 'classic' } },
  { exchange: { name: 'h', type: 'headers' }, queue, bindings: [{ headers: { kind: 'order', 'x-match': 'all' } }] },
  { queue: single },
  { queue, consumers: 16 },
  { queue: { name: 'é'.repeat(127) } },
])('what brokers can do is taken: %j', (consume) => {
  expect(rabbitmqConsume.safeParse(consume).success).toBe(true);
});

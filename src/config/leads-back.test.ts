import { expect, test } from 'vitest';
import { sourceInput, storedSource } from './source-schema.ts';

const of = (type: string, bindings: readonly object[], dead_letter_routing_key?: string, to = 'shop') => ({
  type: 'rabbitmq',
  name: 'shop',
  connection: { hosts: ['rabbit:5672'], username: 'u', password: 'p' },
  consume: { exchange: { name: 'shop', type }, queue: { name: 'q' }, bindings },
  mapping: { format: 'envelope' },
  on_rejected: { dead_letter_exchange: to, ...(dead_letter_routing_key !== undefined && { dead_letter_routing_key }) },
});
const by = (routing_key: string) => [{ routing_key: 'other' }, { routing_key }];

test.each([
  of('topic', by('order.#')),
  of('direct', by('order')),
  of('fanout', by(''), 'dead'),
  of('headers', [{ headers: { kind: 'order', 'x-match': 'all' } }], 'dead'),
  of('headers', [{}]),
  of('headers', [{ headers: { 'x-match': 'any', tries: 1, kind: 'order' } }]),
  of('headers', [{ headers: { 'x-tries': 1, kind: 'order' } }]),
  of('direct', by('dead'), 'dead'),
  of('topic', by('#'), ''),
  of('topic', by('#'), 'dead.order'),
  of('topic', by('dead.#'), 'dead'),
  of('topic', by('#.order'), 'dead.shop.order'),
  of('topic', by('*.order.#.new'), 'dead.order.new'),
])('dead letters that come back to the queue are refused, and what was stored so goes on: %j', (source) => {
  const issues = sourceInput.safeParse(source).error?.issues ?? [];
  expect(issues).toMatchObject([
    { path: ['on_rejected'], message: expect.stringContaining('leads back to the queue') },
  ]);
  expect(storedSource.safeParse(source).success).toBe(true);
});

test.each([
  of('topic', by('order.#'), undefined, 'shop.dead'),
  of('topic', []),
  of('topic', by('order.#'), 'dead.order'),
  of('topic', by('*'), 'dead.order'),
  of('topic', by('*'), ''),
  of('topic', by('dead.*'), 'dead'),
  of('topic', by('dead'), 'dead.order'),
  of('topic', by('*.order.#.new'), 'order.new'),
  of('direct', by('#'), 'dead'),
  of('headers', [{ headers: { tries: 1 } }]),
  of('headers', [{ headers: { 'x-match': 'any' } }]),
  of('headers', [{ headers: { 'x-match': 'any', tries: 1 } }]),
  of('headers', [{ headers: { 'x-match': 'all-with-x', 'x-tries': 1, kind: 'order' } }]),
])('dead letters of which that is not known are taken: %j', (source) => {
  expect(sourceInput.safeParse(source).error).toBeUndefined();
});

test('many wildcards are matched at once', () => {
  const many = of('topic', by(Array(128).fill('#').join('.')), `${Array(120).fill('a').join('.')}`);
  expect(sourceInput.safeParse(many).success).toBe(false);
  const none = of('topic', by(`${Array(120).fill('#').join('.')}.b`), `${Array(120).fill('a').join('.')}`);
  expect(sourceInput.safeParse(none).success).toBe(true);
});

import { expect, test } from 'vitest';
import { type RabbitmqMessage, toIncoming } from './rabbitmq-message.ts';
import { readMessage } from './read-message.ts';
import { rejectedMessage } from './rejected-message.ts';

const place = { queue: 'orders', channel: 'c1', isOrdered: true };

function message(fields: Partial<RabbitmqMessage>): RabbitmqMessage {
  const body = Buffer.from('{"a":1}');
  return {
    exchange: 'shop',
    routingKey: 'order.placed',
    deliveryTag: 1,
    redelivered: false,
    body,
    ...fields,
  } as RabbitmqMessage;
}

const positionOf = (fields: Partial<RabbitmqMessage>) => toIncoming(message(fields), place).position;

test('a message with an id is known again, whenever and on whatever channel it comes', () => {
  const again = toIncoming(message({ messageId: 'm1', deliveryTag: 9, redelivered: true }), {
    ...place,
    channel: 'c2',
  });
  expect(again.position).toBe(positionOf({ messageId: 'm1' }));
});

test('an id that comes again with another body, key, application or exchange is another message: nothing is lost', () => {
  const known = positionOf({ messageId: 'm1' });
  const others = [
    { body: Buffer.from('{"a":2}') },
    { routingKey: 'order.paid' },
    { appId: 'till' },
    { exchange: 'store' },
  ].map((fields) => positionOf({ messageId: 'm1', ...fields }));
  expect(new Set([known, ...others]).size).toBe(5);
});

test('a message without an id is known only while its channel holds it', () => {
  expect(positionOf({})).toBe(positionOf({ redelivered: true }));
  expect(positionOf({})).not.toBe(positionOf({ deliveryTag: 2 }));
});

test('a message whose headers are nested deeper than can be written is rejected, and cannot be tried again', () => {
  let deep: object = {};
  // Bytes among them: of tables of text alone some versions of Node write any depth.
  for (let n = 0; n < 100_000; n++) deep = { deep, bytes: Buffer.from('x') };
  const incoming = toIncoming(message({ messageId: 'm1', headers: { tenant: 'acme', deep } as never }), place);
  const read = readMessage(incoming, { format: 'envelope' }, 262_144);
  expect(read).toMatchObject({ ok: false, problem: { reason: 'unmapped' } });
  const kept = rejectedMessage(incoming, null, { reason: 'unmapped', detail: '', faults: [] });
  expect(kept).toMatchObject({ attributes: { message_id: 'm1' }, headers: [], truncated: true });
});

test('the time of a CloudEvent may be a timestamp of AMQP, in seconds', () => {
  const timeOf = (headers: object, name: string) =>
    Buffer.from(toIncoming(message({ headers: headers as never }), place).headers.get(name)!).toString();
  for (const name of ['cloudEvents:time', 'cloudEvents_time', 'ce_time'])
    expect(timeOf({ [name]: 1_764_153_000 }, name)).toBe('2025-11-26T10:30:00.000Z');
  expect(timeOf({ 'cloudEvents:time': '2025-11-26T10:30:00Z' }, 'cloudEvents:time')).toBe('2025-11-26T10:30:00Z');
  expect(timeOf({ 'cloudEvents:time': 1_764_153_000_000 }, 'cloudEvents:time')).toBe('1764153000000');
  expect(timeOf({ time: 1_764_153_000 }, 'time')).toBe('1764153000');
  // The headers `ce_time`, a timestamp, and `n`, a whole number that the client rounds.
  const hex = '0763655f74696d65540000000069' + '26d6a8' + '016e6c0020000000000001';
  const start = Buffer.alloc(18);
  start.writeUInt16BE(0x2000, 12);
  start.writeUInt32BE(hex.length / 2, 14);
  const exact = toIncoming(message({ headerFrame: Buffer.concat([start, Buffer.from(hex, 'hex')]) }), place);
  expect([...exact.headers].map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
    ['ce_time', '2025-11-26T10:30:00.000Z'],
    ['n', '9007199254740993'],
  ]);
});

import { expect, test } from 'vitest';
import type { IncomingMessage } from './intake.ts';
import { type RabbitmqMessage, toIncoming } from './rabbitmq-message.ts';
import { rejectedMessage } from './rejected-message.ts';

const PROBLEM = { reason: 'invalid_json', detail: 'no', faults: [] };

function delivered(more: Partial<RabbitmqMessage>): IncomingMessage {
  const message = { deliveryTag: 1, exchange: '', routingKey: 'q', redelivered: false, body: Buffer.from('no') };
  const place = { queue: 'q', channel: 'c', isOrdered: true };
  return toIncoming({ ...message, wholeBytes: 2, ...more } as RabbitmqMessage, place);
}

test('what Postgres takes in no text is not kept of what the broker says, and the message cannot be tried again', () => {
  const kept = rejectedMessage(delivered({ messageId: 'a\0b', type: 'x\ud800', appId: 'shop' }), null, PROBLEM);
  expect(kept.attributes).toMatchObject({ message_id: 'ab', type: 'x\ufffd', app_id: 'shop' });
  expect(kept.truncated).toBe(true);
  expect(rejectedMessage(delivered({ appId: 'shop' }), null, PROBLEM).truncated).toBe(false);
});

test('a time that is none, such as milliseconds where AMQP has seconds, is no time', () => {
  for (const timestamp of [1.8e12, 9e15, 2 ** 64, -1])
    expect(rejectedMessage(delivered({ timestamp }), null, PROBLEM).messageAt).toBeNull();
  const kept = rejectedMessage(delivered({ timestamp: 1_700_000_000 }), null, PROBLEM);
  expect(kept.messageAt).toEqual(new Date(1_700_000_000_000));
});

test('of a message of any size a bounded part is kept, and it is known to be cut', () => {
  const headers = { few: 'x', many: 'x'.repeat(20_000) };
  const whole = {
    ...delivered({ body: Buffer.alloc(300_000), wholeBytes: 300_000, headers }),
    key: Buffer.alloc(5_000),
  };
  const kept = rejectedMessage(whole, null, PROBLEM);
  expect([kept.body.length, kept.key?.length, kept.bodyBytes]).toEqual([256 * 1024, 4 * 1024, 300_000]);
  expect(kept.headers.map(([name]) => name)).toEqual(['few']);
  expect(kept.truncated).toBe(true);
  expect(rejectedMessage(delivered({ wholeBytes: 3 }), null, PROBLEM).truncated).toBe(true);
});

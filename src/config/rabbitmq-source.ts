import { z } from 'zod';
import { storableText } from './storable-text.ts';

/** AMQP's short string: at most 255 bytes. */
const shortString = storableText
  .regex(/^\P{Cc}*$/u, 'expected no control characters')
  .refine((text) => Buffer.byteLength(text) <= 255, 'expected at most 255 bytes');
const name = shortString.min(1);

const exchange = z
  .strictObject({
    name,
    type: z.enum(['topic', 'direct', 'fanout', 'headers']).default('topic'),
    durable: z.boolean().default(true),
    declare: z.boolean().default(true).describe('Made where it is missing. false: only checked to be there.'),
  })
  .refine((it) => !it.declare || !it.name.startsWith('amq.'), {
    path: ['name'],
    message: 'names that begin with amq. are the broker’s own: with declare false they can be used',
  });

const queue = z
  .strictObject({
    name,
    type: z.enum(['quorum', 'classic']).default('quorum'),
    declare: z.boolean().default(true).describe('Made where it is missing. false: only checked to be there.'),
    single_active_consumer: z
      .boolean()
      .default(false)
      .describe(
        'One consumer at a time, the others wait: what keeps the order of the queue when there are several processes.',
      ),
    dead_letter_exchange: name.optional().describe('Where the broker itself puts messages that it gives up.'),
    dead_letter_routing_key: shortString.optional(),
    delivery_limit: z
      .union([z.literal(-1), z.number().int().min(1).max(1_000_000)])
      .optional()
      .describe(
        'How often the broker delivers a message before it gives it up; -1 (RabbitMQ 4): never. Quorum queues only.',
      ),
  })
  .refine((it) => it.type === 'quorum' || it.delivery_limit === undefined, {
    path: ['delivery_limit'],
    message: 'only quorum queues have it',
  });

const binding = z.strictObject({
  routing_key: shortString.default('').describe('`#` and `*` are wildcards of topic exchanges.'),
  headers: z
    .record(name, z.union([storableText.max(1024), z.number(), z.boolean()]))
    .optional()
    .describe('What a headers exchange compares; with `x-match`.'),
});

/** What of a RabbitMQ is consumed, and how. */
export const rabbitmqConsume = z
  .strictObject({
    exchange: exchange.optional(),
    queue,
    bindings: z.array(binding).max(100).default([]).describe('Between the exchange and the queue.'),
    prefetch: z.number().int().min(1).max(5_000).default(250).describe('Messages that a consumer holds at most.'),
    consumers: z.number().int().min(1).max(16).default(1).describe('In each process. Several keep no order.'),
  })
  .refine((it) => it.bindings.length === 0 || it.exchange !== undefined, {
    path: ['exchange'],
    message: 'bindings need it',
  })
  .refine((it) => it.exchange?.type === 'headers' || it.bindings.every(({ headers }) => headers === undefined), {
    path: ['bindings'],
    message: 'only headers exchanges compare headers',
  })
  .refine((it) => !it.queue.single_active_consumer || it.consumers === 1, {
    path: ['consumers'],
    message: 'one, with a single active consumer',
  });

export const rabbitmqOnRejected = z.strictObject({
  dead_letter_exchange: name.describe('An exchange that is there.'),
  dead_letter_routing_key: shortString.optional().describe('The message’s own unless given.'),
});

import { z } from 'zod';
import { givenSaslMechanism, saslMechanism } from '../config/kafka-connection.ts';

const MAX_BROKERS = 10;
const MAX_CA = 64 * 1024;

/** Text that goes to a broker as it is. Lengths are bytes of UTF-8, as AMQP counts them. */
function wireText(least: number, most: number) {
  return z
    .string()
    .max(most)
    .refine(
      (text) => text.length >= least && text.isWellFormed() && !/\p{Cc}/u.test(text) && Buffer.byteLength(text) <= most,
      `expected ${least} to ${most} bytes of text without control characters`,
    );
}

const key = z.enum(['subject', 'type', 'tenant']);
const tls = z.boolean().describe('Default: true. Certificates are verified.');
const ca = z
  .string()
  .max(MAX_CA)
  .nullable()
  .describe('PEM certificates to trust in place of the well-known authorities.');
const hosts = z.array(z.string().max(260)).min(1).max(MAX_BROKERS);
const password = wireText(1, 1024)
  .optional()
  .describe(
    'Never shown again. May be left out of a change after which it goes to the same brokers and user, by the same TLS settings.',
  );

const hostsDescription = (port: string) => `\`host:port\` or \`host\` (port ${port}), of one cluster.`;
const brokers = hosts.describe(`${hostsDescription('9092')} What its metadata names is held against the same rules.`);
const nodes = hosts.describe(hostsDescription('5671, without TLS 5672'));
const topic = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'expected 1 to 249 letters, digits, ., _ and -')
  .describe('It must exist: topics are not created.');
const kafkaKey = key.describe('What the key, and so the partition, is taken from; default: `subject`.');
const exchange = wireText(0, 255).describe('It must exist. Empty: the default exchange.');
const routingKey = wireText(0, 255).describe('The same for every message.');
const rabbitmqKey = key.describe('What the routing key is taken from; default: `type`.');

export const destinationInput = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('http'), url: z.string() }),
    z.strictObject({
      type: z.literal('kafka'),
      brokers,
      topic,
      key: kafkaKey.optional(),
      tls: tls.optional(),
      ca: ca.optional(),
      sasl: z
        .strictObject({ mechanism: givenSaslMechanism, username: wireText(1, 255), password })
        .nullable()
        .optional(),
    }),
    z.strictObject({
      type: z.literal('rabbitmq'),
      hosts: nodes,
      vhost: wireText(1, 255).optional().describe('Default: `/`.'),
      exchange,
      routing_key: routingKey.optional(),
      key: rabbitmqKey.optional(),
      tls: tls.optional(),
      ca: ca.optional(),
      username: wireText(1, 255),
      password,
    }),
  ])
  .describe('Where events go, in place of `url`: replaced as a whole.');

export type DestinationInput = z.infer<typeof destinationInput>;

export const destinationOutput = z.discriminatedUnion('type', [
  z.object({ type: z.literal('http'), url: z.string() }),
  z.object({
    type: z.literal('kafka'),
    brokers: z.array(z.string()),
    topic: z.string(),
    key: kafkaKey,
    tls: z.boolean(),
    ca,
    sasl: z.object({ mechanism: saslMechanism, username: z.string() }).nullable(),
  }),
  z.object({
    type: z.literal('rabbitmq'),
    hosts: z.array(z.string()),
    vhost: z.string(),
    exchange: z.string(),
    routing_key: z.string().optional(),
    key: rabbitmqKey.optional(),
    tls: z.boolean(),
    ca,
    username: z.string(),
  }),
]);

import { z } from 'zod';
import { kafkaConnection } from './kafka-connection.ts';
import { leadsBack } from './leads-back.ts';
import { rabbitmqConnection } from './rabbitmq-connection.ts';
import { rabbitmqConsume, rabbitmqOnRejected } from './rabbitmq-source.ts';
import { storableText } from './storable-text.ts';

const TOPIC = /^[A-Za-z0-9._-]{1,249}$/;
const topic = z.string().regex(TOPIC, 'expected a topic: 1 to 249 letters, digits, ., _ and -');

/** Where one field of the event comes from. */
const FIELD =
  /^(key|body|text|base64|timestamp|header:[^\p{Cc}]{1,256}|attribute:[a-z_]{1,64}|const:[^\p{Cc}]{0,1024}|body:(\/[^\p{Cc}]*)?)$/u;
const field = storableText
  .max(1_200)
  .regex(
    FIELD,
    'expected header:<name>, key, body:</json/pointer>, const:<text>, attribute:<name>, timestamp, body, text or base64',
  );

const mapping = z.discriminatedUnion('format', [
  z
    .strictObject({
      format: z.literal('cloudevents'),
      tenant_extension: z
        .string()
        .regex(/^[a-z0-9]{1,64}$/, 'expected lower-case letters and digits')
        .default('tenantid')
        .describe(
          'The extension attribute that names the tenant. Where the source has a tenant of its own, a message that names another is rejected.',
        ),
    })
    .describe('Each message is a CloudEvent, structured or binary by its headers.'),
  z.strictObject({ format: z.literal('envelope') }).describe('Each message is an event as `POST /v1/events` takes it.'),
  z
    .strictObject({
      format: z.literal('mapped'),
      tenant_id: field.optional(),
      type: field,
      id: field.optional(),
      idempotency_key: field.optional(),
      subject: field.optional(),
      correlation_id: field.optional(),
      timestamp: field.optional(),
      version: field.optional(),
      data: field.default('body'),
    })
    .describe('Says of each field of the event where in the message it is.'),
]);

const common = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 letters, digits, ., _ and -')
    .describe('No two sources have the same.'),
  tenant_id: storableText
    .min(1)
    .max(64)
    .optional()
    .describe('Whose events these are. Absent: each message says it, by the mapping.'),
  mapping,
};

const kafkaSource = z.strictObject({
  type: z.literal('kafka'),
  ...common,
  connection: kafkaConnection,
  consume: z
    .strictObject({
      topics: z.array(topic).min(1).max(100).optional(),
      pattern: storableText
        .min(1)
        .max(256)
        .refine(isPattern, 'expected a regular expression')
        .optional()
        .describe(
          'A regular expression that whole names of topics match, those that come later too. Internal ones never do.',
        ),
      group: z
        .string()
        .regex(/^[\x21-\x7e]{1,249}$/, 'expected 1 to 249 printable characters')
        .describe('Consumer group.'),
      start: z
        .enum(['earliest', 'latest'])
        .default('earliest')
        .describe('Where to begin in a partition that the group has not read yet.'),
    })
    .refine(
      ({ topics, pattern }) => (topics === undefined) !== (pattern === undefined),
      'expected either topics or pattern',
    ),
  on_rejected: z
    .strictObject({ dead_letter_topic: topic })
    .optional()
    .describe(
      'Where messages that are no event are published to as well. `consume.topics` may not have it; a `pattern` does not match it.',
    ),
});

/** What it rejects would come back, be rejected and be published again, for ever. */
function readsOwnDeadLetters({ consume, on_rejected }: z.infer<typeof kafkaSource>): boolean {
  return on_rejected !== undefined && consume.topics?.includes(on_rejected.dead_letter_topic) === true;
}

const rabbitmqSource = z.strictObject({
  type: z.literal('rabbitmq'),
  ...common,
  connection: rabbitmqConnection,
  consume: rabbitmqConsume,
  on_rejected: rabbitmqOnRejected.optional().describe('Where messages that are no event are published to as well.'),
});

const sensibleKafkaSource = kafkaSource.refine((source) => !readsOwnDeadLetters(source), {
  path: ['on_rejected', 'dead_letter_topic'],
  message: 'expected another topic than those of consume.topics',
});

/** A source as it was stored: what an earlier version took goes on, though it would be refused today. */
export const storedSource = z.discriminatedUnion('type', [sensibleKafkaSource, rabbitmqSource]);

/** A source as an operator describes it, by the API or in `SOURCES_FILE`. */
export const sourceInput = z.discriminatedUnion('type', [
  sensibleKafkaSource,
  rabbitmqSource.refine(({ consume, on_rejected }) => on_rejected === undefined || !leadsBack(consume, on_rejected), {
    path: ['on_rejected'],
    message: 'leads back to the queue, by consume.bindings: expected another exchange, or a key that none of them has',
  }),
]);

export type SourceInput = z.infer<typeof sourceInput>;
export type KafkaSource = z.infer<typeof kafkaSource>;
export type RabbitmqSource = z.infer<typeof rabbitmqSource>;
export type SourceMapping = z.infer<typeof mapping>;

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'v') !== null;
  } catch {
    return false;
  }
}

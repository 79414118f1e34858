import type { Channel } from 'rabbitmq-client';
import { openRabbitmq, type RabbitmqLink } from '../brokers/rabbitmq-link.ts';
import { rabbitmqOptions } from '../brokers/rabbitmq-options.ts';
import type { RabbitmqSource } from '../config/source-schema.ts';
import { storableText } from '../domain/storable-text.ts';
import type { NotTaken } from '../store/publish-rejected.ts';
import type { StoredRejection } from '../store/rejected-messages.ts';
import type { DeadLetterPublisher } from './dead-letter-publisher.ts';

const CONFIRM_MS = 10_000;
// The broker itself acts by these, and refuses them where they are text.
const OF_THE_BROKER = /^(CC|BCC|x-death|x-delivery-.*|x-first-death-.*|x-last-death-.*)$/i;

const PREFIX = 'posthorn-rejected-';
const ID = `${PREFIX}id`;

interface Publishing {
  readonly link: RabbitmqLink;
  readonly channel: Channel;
  /** Ids of messages that came back because no queue takes them. */
  readonly returned: Set<string>;
}

/**
 * Publishes rejected messages to the source's dead-letter exchange: headers, body and content type as they were, with headers that say why.
 * On a connection of its own: when the broker is short of memory it blocks those that publish, and acknowledgements must not wait for that.
 */
export function createRabbitmqDeadLetters(source: RabbitmqSource): DeadLetterPublisher {
  let open: Publishing | null = null;
  let turn = 0;
  const close = async () => {
    open?.link.destroy();
    open = null;
  };
  const publish = async (messages: readonly StoredRejection[]): Promise<NotTaken> => {
    try {
      open ??= await connect(source, turn++);
      return await publishAll(open, source, messages);
    } catch (error) {
      const refusal = refusalIn(error);
      await close();
      if (refusal === null) throw error;
      if (messages.length === 1) return new Map([[messages[0]!.id, refusal]]);
      // One of them has ended the channel for all: which one is found out by halves.
      const middle = Math.ceil(messages.length / 2);
      const first = await publish(messages.slice(0, middle));
      return new Map([...first, ...(await publish(messages.slice(middle)))]);
    }
  };
  return { publish, close };
}

/** What a broker says of a message that it never takes: one that is larger than its `max_message_size`. */
function refusalIn(error: unknown): string | null {
  const { code, message } = error as { code?: string; message: string };
  return code === 'PRECONDITION_FAILED' ? storableText(message, 300) : null;
}

async function connect(source: RabbitmqSource, turn: number): Promise<Publishing> {
  const use = { turn, name: `Posthorn source ${source.name}, dead letters` };
  const link = await openRabbitmq(rabbitmqOptions(source.connection, use));
  const channel = await link.channel();
  const publishing: Publishing = { link, channel, returned: new Set() };
  channel.on('basic.return', ({ headers }) => publishing.returned.add(String(headers?.[ID])));
  await channel.confirmSelect();
  return publishing;
}

const NACK = 'The broker refused it (nack): its queue may be full.';

/** @throws Error when the connection or channel ends, or the broker does not answer for each in time */
async function publishAll(
  { link, channel, returned }: Publishing,
  source: RabbitmqSource,
  messages: readonly StoredRejection[],
): Promise<NotTaken> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`The broker confirmed nothing within ${CONFIRM_MS} ms.`)),
    CONFIRM_MS,
  );
  const ended = link.closed.then((error) => Promise.reject(error));
  const notTaken = new Map<string, string>();
  const sent = messages.map(async (message) => {
    try {
      await channel.basicPublish(envelopeOf(message, source), Buffer.from(message.body));
    } catch (error) {
      if ((error as { code?: string }).code !== 'NACK') throw error;
      notTaken.set(message.id, NACK);
    }
  });
  try {
    await Promise.race([Promise.all(sent), late, ended]);
  } finally {
    clearTimeout(timer);
    for (const one of [...sent, ended]) one.catch(() => {});
  }
  // It is told that a message came back before the message is confirmed, but a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  const why = `The exchange ${source.on_rejected!.dead_letter_exchange} has no queue for it.`;
  for (const id of returned) notTaken.set(id, why);
  returned.clear();
  return notTaken;
}

function envelopeOf(message: StoredRejection, source: RabbitmqSource) {
  const { dead_letter_exchange: exchange, dead_letter_routing_key } = source.on_rejected!;
  const { id, position, reason, detail, truncated, attributes } = message;
  const own = message.headers
    .filter(([name]) => !OF_THE_BROKER.test(name))
    .map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
  const said = { id, source: source.name, position, reason, detail, truncated: String(truncated) };
  const reasons = Object.entries(said).map(([name, value]) => [`${PREFIX}${name}`, value]);
  return {
    exchange,
    routingKey: dead_letter_routing_key ?? attributes.routing_key ?? '',
    mandatory: true,
    durable: true,
    headers: Object.fromEntries([...own, ...reasons]),
    ...propertiesOf(attributes),
  };
}

const PROPERTIES = {
  contentType: 'content_type',
  contentEncoding: 'content_encoding',
  messageId: 'message_id',
  appId: 'app_id',
  type: 'type',
  correlationId: 'correlation_id',
} as const;

function propertiesOf(attributes: StoredRejection['attributes']): { [Name in keyof typeof PROPERTIES]?: string } {
  const all = Object.entries(PROPERTIES).map(([name, attribute]) => [name, attributes[attribute]]);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

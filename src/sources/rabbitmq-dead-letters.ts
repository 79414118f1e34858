import type { Channel } from 'rabbitmq-client';
import { openRabbitmq, type RabbitmqLink } from '../brokers/rabbitmq-link.ts';
import { rabbitmqOptions } from '../brokers/rabbitmq-options.ts';
import type { RabbitmqSource } from '../config/source-schema.ts';
import type { StoredRejection } from '../store/rejected-messages.ts';
import type { DeadLetterPublisher } from './dead-letter-publisher.ts';

const CONFIRM_MS = 10_000;
// The broker itself acts by these, and refuses them where they are text.
const OF_THE_BROKER = /^(CC|BCC|x-death|x-delivery-.*|x-first-death-.*|x-last-death-.*)$/i;

interface Publishing {
  readonly link: RabbitmqLink;
  readonly channel: Channel;
  /** How many messages came back because no queue takes them. */
  returned: number;
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
  return {
    publish: async (messages) => {
      try {
        open ??= await connect(source, turn++);
        await publishAll(open, source, messages);
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

async function connect(source: RabbitmqSource, turn: number): Promise<Publishing> {
  const use = { turn, name: `Posthorn source ${source.name}, dead letters` };
  const link = await openRabbitmq(rabbitmqOptions(source.connection, use));
  const channel = await link.channel();
  const publishing = { link, channel, returned: 0 };
  channel.on('basic.return', () => publishing.returned++);
  await channel.confirmSelect();
  return publishing;
}

/** @throws Error unless the broker says of each that it has it in a queue */
async function publishAll(to: Publishing, source: RabbitmqSource, messages: readonly StoredRejection[]): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`The broker confirmed nothing within ${CONFIRM_MS} ms.`)),
    CONFIRM_MS,
  );
  const ended = to.link.closed.then((error) => Promise.reject(error));
  const sent = messages.map((message) =>
    to.channel.basicPublish(envelopeOf(message, source), Buffer.from(message.body)),
  );
  try {
    await Promise.race([Promise.all(sent), late, ended]);
  } finally {
    clearTimeout(timer);
    for (const one of [...sent, ended]) one.catch(() => {});
  }
  // It is told that a message came back before the message is confirmed, but a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  if (to.returned > 0)
    throw new Error(
      `The exchange ${source.on_rejected!.dead_letter_exchange} has no queue for ${to.returned} dead letters.`,
    );
}

function envelopeOf(message: StoredRejection, source: RabbitmqSource) {
  const { dead_letter_exchange: exchange, dead_letter_routing_key } = source.on_rejected!;
  const { id, position, reason, detail, truncated, attributes } = message;
  const own = message.headers
    .filter(([name]) => !OF_THE_BROKER.test(name))
    .map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
  const said = { id, source: source.name, position, reason, detail, truncated: String(truncated) };
  const why = Object.entries(said).map(([name, value]) => [`posthorn-rejected-${name}`, value]);
  return {
    exchange,
    routingKey: dead_letter_routing_key ?? attributes.routing_key ?? '',
    mandatory: true,
    durable: true,
    headers: Object.fromEntries([...own, ...why]),
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

import type { z } from 'zod';
import type { rabbitmqConsume, rabbitmqOnRejected } from './rabbitmq-source.ts';

type Consume = z.infer<typeof rabbitmqConsume>;
type OnRejected = z.infer<typeof rabbitmqOnRejected>;

/**
 * Whether what a source of RabbitMQ rejects comes back to its queue by the bindings that it makes itself. Bindings that others make are not
 * known: false is no proof.
 */
export function leadsBack({ exchange, bindings }: Consume, onRejected: OnRejected): boolean {
  const { dead_letter_exchange, dead_letter_routing_key: key } = onRejected;
  if (exchange === undefined || exchange.name !== dead_letter_exchange) return false;
  return bindings.some((binding) => isTakenBy(exchange.type, binding, key));
}

/** @param key undefined: that by which the message came, with which it goes where it came from */
function isTakenBy(
  type: NonNullable<Consume['exchange']>['type'],
  { routing_key, headers = {} }: Consume['bindings'][number],
  key: string | undefined,
): boolean {
  switch (type) {
    case 'fanout':
      return true;
    case 'headers':
      return isOfHeaders(headers);
    case 'direct':
      return key === undefined || key === routing_key;
    case 'topic':
      return key === undefined || isOfTopic(key, routing_key);
  }
}

/**
 * As headers exchanges match a message that came by this binding: names that begin with `x-` count only where `x-match` says so. Headers are published
 * as text, which numbers and booleans are not equal to.
 */
function isOfHeaders({
  'x-match': match = 'all',
  ...headers
}: Consume['bindings'][number]['headers'] & object): boolean {
  const counting = Object.entries(headers).filter(
    ([name]) => !name.startsWith('x-') || String(match).endsWith('-with-x'),
  );
  const isText = ([, value]: [string, unknown]) => typeof value === 'string';
  return String(match).startsWith('any') ? counting.some(isText) : counting.every(isText);
}

/** As topic exchanges match: `*` is one word, `#` any number of them. */
function isOfTopic(key: string, pattern: string): boolean {
  const words = wordsOf(key);
  let reached = new Set([0]);
  for (const part of wordsOf(pattern)) {
    const next = new Set<number>();
    for (const at of reached) {
      if (part === '#') for (let to = at; to <= words.length && !next.has(to); to++) next.add(to);
      else if (at < words.length && (part === '*' || part === words[at])) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(words.length);
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('.');
}

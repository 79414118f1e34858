import { amqpText } from '../../brokers/amqp-text.ts';
import type { UnreachableReason } from '../../domain/outcome.ts';
import { classify, unreachable } from '../classify.ts';
import type { BrokerReport } from './shipment.ts';

/** Reply codes of AMQP 0-9-1 by which a broker refuses the message or us, and the client's name for a message that is not taken. */
const REFUSALS = new Set([
  'ACCESS_REFUSED',
  'CONTENT_TOO_LARGE',
  'NACK',
  'NOT_ALLOWED',
  'NOT_FOUND',
  'PRECONDITION_FAILED',
]);

/** Everything else that has a name here says that the broker could not be talked to now. */
const UNABLE = new Map<string, readonly [UnreachableReason, string]>([
  ['CH_CLOSE', ['reset', 'the channel was closed before the broker had confirmed']],
  ['CLOSING', ['reset', 'connection to the broker was closed']],
  ['CONNECTION_FORCED', ['reset', 'the broker closed the connection']],
  ['CONNECTION_TIMEOUT', ['timeout', 'no connection in time']],
  ['CONN_CLOSE', ['reset', 'connection was closed by the broker']],
  ['READ_END', ['reset', 'connection was closed by the broker']],
  ['INTERNAL_ERROR', ['refused', 'the broker has an internal error']],
  ['RESOURCE_ERROR', ['refused', 'the broker lacks resources']],
  ['RESOURCE_LOCKED', ['refused', 'the broker has locked what it needs']],
  ['SOCKET_TIMEOUT', ['timeout', 'the broker gave no sign of life']],
  ['TIMEOUT', ['timeout', 'no channel in time']],
]);

/** What a client of RabbitMQ throws. Texts are the broker's own where it refuses; those of the client may name addresses. */
export function classifyRabbitmq(error: unknown): BrokerReport {
  const { code = '', message = '', name = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const isAmqp = name.startsWith('AMQP');
  if (isAmqp && REFUSALS.has(code)) return { kind: 'rejected', code, detail: amqpText(code, message) };
  const unable = UNABLE.get(code);
  if (isAmqp && unable !== undefined) return unreachable(unable[0], `${unable[1]} (${code})`);
  if (isAmqp) return unreachable('protocol', `the broker breaks the rules of AMQP 0-9-1 (${code})`);
  return classify(error);
}

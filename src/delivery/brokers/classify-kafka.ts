import type { UnreachableReason } from '../../domain/outcome.ts';
import { classify, DeliveryFailure, type Failure, unreachable } from '../classify.ts';
import type { BrokerReport } from './shipment.ts';

/** Errors by which a broker refuses the message or us, by their names in the protocol: the same would be refused again. */
const REFUSALS = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'CORRUPT_MESSAGE',
  'ILLEGAL_SASL_STATE',
  'INVALID_CONFIG',
  'INVALID_RECORD',
  'INVALID_REQUIRED_ACKS',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'MESSAGE_TOO_LARGE',
  'POLICY_VIOLATION',
  'RECORD_LIST_TOO_LARGE',
  'SASL_AUTHENTICATION_FAILED',
  'SECURITY_DISABLED',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_SASL_MECHANISM',
]);

/** Errors of a cluster that cannot take messages now; every other one breaks the rules of the protocol, as far as we know them. */
const UNABLE = new Map<string, UnreachableReason>([
  ['REQUEST_TIMED_OUT', 'timeout'],
  ['BROKER_NOT_AVAILABLE', 'refused'],
  ['KAFKA_STORAGE_ERROR', 'refused'],
  ['LEADER_NOT_AVAILABLE', 'refused'],
  ['FENCED_LEADER_EPOCH', 'refused'],
  ['NETWORK_EXCEPTION', 'reset'],
  ['NOT_ENOUGH_REPLICAS', 'refused'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'refused'],
  ['NOT_LEADER_OR_FOLLOWER', 'refused'],
  ['REPLICA_NOT_AVAILABLE', 'refused'],
  ['THROTTLING_QUOTA_EXCEEDED', 'refused'],
  ['UNKNOWN_SERVER_ERROR', 'refused'],
]);

/** What a broker's answer with an error comes to. */
export function classifyKafkaCode(code: string, text: string | null): BrokerReport {
  const detail = `${code}${text === null || text === '' ? '' : `: ${oneLine(text)}`}`;
  if (REFUSALS.has(code)) return { kind: 'rejected', code, detail };
  return unreachable(UNABLE.get(code) ?? 'protocol', detail);
}

/** What a Kafka client throws: of all the causes that it names, the one that says most. Its own texts of connections name addresses: they are not used. */
export function classifyKafka(error: unknown): BrokerReport {
  const causes = causesOf(error);
  const known = causes.find((cause) => cause instanceof DeliveryFailure);
  if (known !== undefined) return (known as DeliveryFailure).failure;
  for (const cause of causes) {
    const { apiId, serverErrorMessage, message } = cause as { apiId?: string; serverErrorMessage?: string } & Error;
    if (apiId !== undefined) return classifyKafkaCode(apiId, serverErrorMessage || message);
  }
  if (causes.some(({ code, message }) => code === 'PLT_KFK_USER' && message.startsWith('Unknown topic')))
    return classifyKafkaCode('UNKNOWN_TOPIC_OR_PARTITION', null);
  const login = causes.findLast(({ code }) => code === 'PLT_KFK_AUTHENTICATION');
  if (login !== undefined) {
    const code = 'SASL_AUTHENTICATION_FAILED';
    return { kind: 'rejected', code, detail: `${code}: ${oneLine(login.message)}` };
  }
  return classifyConnection(causes);
}

function classifyConnection(causes: readonly Cause[]): Failure {
  if (causes.some(({ message }) => /requires TLS|supports TLS/.test(message)))
    return unreachable('tls', 'one side speaks TLS and the other does not');
  const system = causes.find(({ code = '' }) => code !== '' && !code.startsWith('PLT_KFK_'));
  if (system !== undefined) return classify(system);
  if (causes.some(({ message }) => message.includes('timed out')))
    return unreachable('timeout', 'the broker did not answer in time');
  return unreachable('reset', 'connection to the broker was closed');
}

type Cause = Error & { readonly code?: string };

const MAX_CAUSES = 200;

/** The error and whatever it was made of, outermost first. */
function causesOf(error: unknown): Cause[] {
  const causes: Cause[] = [];
  const open = [error];
  while (open.length > 0 && causes.length < MAX_CAUSES) {
    const next = open.shift();
    if (!(next instanceof Error) || causes.includes(next)) continue;
    causes.push(next);
    open.push(next.cause, ...('errors' in next && Array.isArray(next.errors) ? next.errors : []));
  }
  return causes;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 300);
}

import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { DeliveryFailure } from '../classify.ts';
import { classifyKafka, classifyKafkaCode } from './classify-kafka.ts';

const within = (...causes: Error[]) => new MultipleErrors('produce failed 1 times.', causes);
const system = (code: string) => Object.assign(new Error(`connect ${code} 10.1.2.3:9092`), { code });

const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });

test.each([
  ['UNKNOWN_TOPIC_OR_PARTITION', 'rejected'],
  ['TOPIC_AUTHORIZATION_FAILED', 'rejected'],
  ['CLUSTER_AUTHORIZATION_FAILED', 'rejected'],
  ['MESSAGE_TOO_LARGE', 'rejected'],
  ['RECORD_LIST_TOO_LARGE', 'rejected'],
  ['INVALID_RECORD', 'rejected'],
  ['NOT_ENOUGH_REPLICAS', 'refused'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'refused'],
  ['NOT_LEADER_OR_FOLLOWER', 'refused'],
  ['REQUEST_TIMED_OUT', 'timeout'],
  ['ERROR_4711', 'protocol'],
])('a broker that answers %s: %s', (code, expected) => {
  const report = classifyKafkaCode(code, 'why\nnot');
  expect(report.kind === 'unreachable' ? report.reason : report.kind).toBe(expected);
  expect(report).toMatchObject({ detail: `${code}: why not`, ...(expected === 'rejected' && { code }) });
});

test.each([
  [within(new NetworkError('x', { cause: new DeliveryFailure({ kind: 'blocked', detail: 'b' }) })), 'blocked'],
  [within(new ProtocolError('NOT_ENOUGH_REPLICAS')), 'refused'],
  [within(new NetworkError('x', { cause: system('ECONNREFUSED') })), 'refused'],
  [within(new NetworkError('x', { cause: expired })), 'tls'],
  [new NetworkError('x', { cause: new AuthenticationError('SASL authentication failed.') }), 'rejected'],
  [new UserError('Unknown topic orders.'), 'rejected'],
  [new UserError('Broker requires TLS.'), 'tls'],
  [new TimeoutError('Connection to 10.1.2.3:9092 timed out.'), 'timeout'],
  [new NetworkError('Connection closed'), 'reset'],
  [new Error('whatever'), 'reset'],
])('%s comes to %s, and no address is told', (error, expected) => {
  const report = classifyKafka(error);
  expect(report.kind === 'unreachable' ? report.reason : report.kind).toBe(expected);
  expect(JSON.stringify(report)).not.toContain('10.1.2.3');
});

test('causes that name each other end', () => {
  const error: Error & { cause?: unknown } = new Error('a');
  error.cause = error;
  expect(classifyKafka(error)).toMatchObject({ kind: 'unreachable' });
});

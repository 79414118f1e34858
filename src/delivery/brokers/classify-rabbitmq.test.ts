import { expect, test } from 'vitest';
import { DeliveryFailure } from '../classify.ts';
import { classifyRabbitmq } from './classify-rabbitmq.ts';

/** As the client throws them: the constructors are not public. */
const amqp = (name: string, code: string, message: string) => Object.assign(new Error(message), { name, code });

test.each([
  [amqp('AMQPChannelError', 'NOT_FOUND', "BasicPublish: NOT_FOUND - no exchange 'x'"), 'rejected'],
  [amqp('AMQPConnectionError', 'ACCESS_REFUSED', 'Login was refused'), 'rejected'],
  [amqp('AMQPConnectionError', 'NOT_ALLOWED', 'vhost x not found'), 'rejected'],
  [amqp('AMQPError', 'NACK', 'message rejected by server'), 'rejected'],
  [amqp('AMQPConnectionError', 'CONNECTION_FORCED', 'shutdown'), 'reset'],
  [amqp('AMQPConnectionError', 'CONN_CLOSE', 'socket closed'), 'reset'],
  [amqp('AMQPConnectionError', 'CONNECTION_TIMEOUT', 'connection timed out'), 'timeout'],
  [amqp('AMQPConnectionError', 'RESOURCE_ERROR', 'x'), 'refused'],
  [amqp('AMQPConnectionError', 'FRAME_ERROR', 'x'), 'protocol'],
  [Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5672'), { code: 'ECONNREFUSED' }), 'refused'],
  [Object.assign(new Error('x'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'tls'],
  [new DeliveryFailure({ kind: 'blocked', detail: 'b' }), 'blocked'],
])('%s comes to %s, and no address is told', (error, expected) => {
  const report = classifyRabbitmq(error);
  expect(report.kind === 'unreachable' ? report.reason : report.kind).toBe(expected);
  expect(JSON.stringify(report)).not.toContain('10.1.2.3');
});

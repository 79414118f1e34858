import { expect, test } from 'vitest';
import { z } from 'zod';
import { givenSaslMechanism, kafkaConnection } from './kafka-connection.ts';

const mechanismOf = (mechanism: unknown) => {
  const sasl = { mechanism, username: 'u', password: 'p' };
  return kafkaConnection.safeParse({ brokers: ['kafka.example:9092'], sasl }).data?.sasl?.mechanism;
};

test('the name of a SASL mechanism is taken in any case, and becomes upper case', () => {
  expect(['PLAIN', 'plain', 'scram-sha-256', 'Scram-SHA-512'].map(mechanismOf)).toEqual([
    'PLAIN',
    'PLAIN',
    'SCRAM-SHA-256',
    'SCRAM-SHA-512',
  ]);
  expect(['gssapi', '', 1, null].map(mechanismOf)).toEqual([undefined, undefined, undefined, undefined]);
});

test('its schema has the names in upper and in lower case, as they are taken', () => {
  const { enum: names = [] } = z.toJSONSchema(givenSaslMechanism, { io: 'input' });
  expect(names).toHaveLength(6);
  expect(names.map(mechanismOf)).toEqual(names.map((name) => String(name).toUpperCase()));
});

test('some brokers are named, each by host and port', () => {
  const takes = (...brokers: string[]) => kafkaConnection.safeParse({ brokers }).success;
  expect([takes('k:1'), takes('[::1]:65535'), takes(...Array(50).fill('k:1'))]).toEqual([true, true, true]);
  expect([takes(), takes(...Array(51).fill('k:1'))]).toEqual([false, false]);
  expect([takes('k'), takes('k:0'), takes('k:65536'), takes('::1:9092')]).toEqual([false, false, false, false]);
});

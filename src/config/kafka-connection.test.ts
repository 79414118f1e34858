import { expect, test } from 'vitest';
import { kafkaConnection } from './kafka-connection.ts';

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

import { expect, test } from 'vitest';
import { explainDatabase } from './database-error.ts';

const URL = 'postgresql://posthorn:hunter2@db.example:5433/webhooks';
const errorOf = (code: string, message: string) => Object.assign(new Error(message), { code });

test.each([
  ['ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.1:5433', 'Start it'],
  // As Node says it where a name has several addresses: an AggregateError without a message.
  ['ECONNREFUSED', '', 'ECONNREFUSED. Start it'],
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND db.example', 'Mend the host'],
  ['25006', 'cannot execute CREATE TABLE in a read-only transaction', 'the primary'],
  ['28P01', 'password authentication failed for user "posthorn"', 'user and password'],
  ['3D000', 'database "webhooks" does not exist', 'Create that database'],
  ['', 'timeout expired', 'so busy'],
  ['', 'Connection terminated due to connection timeout', 'so busy'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'sslrootcert='],
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'a new certificate'],
  ['08P01', 'unsupported startup parameter: statement_timeout', 'ignore_startup_parameters'],
  ['42501', 'permission denied for schema public', 'GRANT CREATE'],
  ['42501', 'permission denied for database webhooks', 'GRANT CONNECT, CREATE ON DATABASE'],
  ['42501', 'keine Berechtigung für Schema public', 'GRANT CREATE'],
  ['42501', 'keine Berechtigung für Datenbank webhooks', 'GRANT CONNECT, CREATE ON DATABASE'],
  ['42501', 'keine Berechtigung für Tabelle lanes', 'OWNER TO'],
  ['42704', 'unrecognized configuration parameter "idle_session_timeout"', 'Postgres 14 or later'],
])('%s: what, where and what to do, and no password', (code, message, hint) => {
  const { message: told } = explainDatabase(URL, errorOf(code, message)) as Error;
  for (const part of ['db.example:5433/webhooks', 'DATABASE_URL', message, hint]) expect(told).toContain(part);
  expect(told).not.toContain('hunter2');
});

test.each([
  'must be owner of table endpoints',
  'permission denied for table lanes',
  'Migration x failed and was rolled back: must be owner of table endpoints',
])('%s: it is not to be allowed to create', (message) => {
  const { message: told } = explainDatabase(URL, errorOf('42501', message)) as Error;
  expect(told).toContain('OWNER TO');
  expect(told).not.toContain('GRANT CREATE');
});

test('a database that may not be used is not mended by what its schema allows', () => {
  const { message: told } = explainDatabase(URL, errorOf('42501', 'permission denied for database webhooks')) as Error;
  expect(told).not.toContain('ON SCHEMA');
});

test('no end of a password that was not percent-encoded is told as the name of the database', () => {
  const url = 'postgres://posthorn:42/hunter2@db.example:5433/webhooks';
  const { message: told } = explainDatabase(url, errorOf('ENOTFOUND', 'getaddrinfo ENOTFOUND posthorn')) as Error;
  expect(told).toMatch(/^Cannot use the Postgres of DATABASE_URL: getaddrinfo/);
  expect(told).not.toContain('hunter2');
});

test('what is not known stays as it is', () => {
  const error = errorOf('XX000', 'internal error');
  expect(explainDatabase(URL, error)).toBe(error);
});

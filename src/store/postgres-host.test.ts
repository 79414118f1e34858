import { expect, test } from 'vitest';
import { databasePlace } from './postgres-host.ts';

test.each([
  ['postgresql://posthorn:secret@db.example:6432/hooks?sslmode=verify-full', 'db.example:6432/hooks'],
  ['postgres://posthorn:secret@db.example/hooks', 'db.example:5432/hooks'],
  ['postgresql://posthorn:secret@[::1]:5433/hooks', '[::1]:5433/hooks'],
  ['postgresql:///hooks?host=/run/postgresql&user=posthorn&password=secret', '/run/postgresql:5432/hooks'],
  ['postgresql://posthorn:secret@db.example:no/hooks', 'the one of DATABASE_URL'],
  // A `/` in the password that was not percent-encoded: what follows it counts as the name.
  ['postgres://posthorn:42/secret@db.example/hooks', 'the one of DATABASE_URL'],
  ['postgres://posthorn/x:secret', 'the one of DATABASE_URL'],
  ['postgres://posthorn@db.example/a%0Ab%1B[31m%E2%80%AE', 'db.example:5432/a%0Ab%1B[31m%E2%80%AE'],
  ['postgres:///hooks?host=/run/a%0Ab', '/run/a%0Ab:5432/hooks'],
])('where a database is, is told without user and password: %s', (url, place) => {
  expect(databasePlace(url)).toBe(place);
});

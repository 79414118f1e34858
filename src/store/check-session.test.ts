import type pg from 'pg';
import { expect, test } from 'vitest';
import { checkSession, UnsafeCommitError } from './check-session.ts';

const checkOf = (level: string, isAlone: boolean) =>
  checkSession({ query: async () => ({ rows: [{ level, is_alone: isAlone }] }) } as unknown as pg.Pool);

test.each([
  ['on', true],
  ['remote_apply', true],
  ['local', true],
  ['on', false],
  ['remote_apply', false],
])('synchronous_commit=%s is durable (no standbys: %s)', (level, isAlone) =>
  expect(checkOf(level, isAlone)).resolves.toBeUndefined(),
);

test.each([
  ['off', true],
  ['off', false],
  ['local', false],
  ['remote_write', false],
])('synchronous_commit=%s is refused, being less than what is asked for (no standbys: %s)', (level, isAlone) =>
  expect(checkOf(level, isAlone)).rejects.toThrow(UnsafeCommitError),
);

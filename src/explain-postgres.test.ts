import { expect, test } from 'vitest';
import { readConfig } from './config/config.ts';
import { explainTo } from './explain-postgres.ts';

const url = 'postgresql://posthorn:hunter2@127.0.0.1:41234/postgres';
const given = { DATABASE_URL: url, OPERATOR_KEY: 'x'.repeat(24), MASTER_KEY: Buffer.alloc(32).toString('base64') };
const told = (env: Record<string, string>, error: Error) =>
  Promise.reject(error)
    .catch(explainTo(readConfig(env)))
    .catch((explained: Error) => explained);

test('an embedded Postgres that does not answer is told by its folder, one of DATABASE_URL by its address', async () => {
  const { message } = await told({ DATA_DIR: '/data' }, new Error('timeout expired'));
  expect(message).toMatch(/folder: \/data\).*timeout expired.*\/data\/postgres\.log/);
  expect(message).not.toMatch(/DATABASE_URL|hunter2|41234/);
  expect((await told(given, new Error('timeout expired'))).message).toMatch(/127\.0\.0\.1:41234.*DATABASE_URL/);
});

test('what is told already, or is not about reaching it, stays as it is', async () => {
  const error = new Error('a migration failed');
  expect(await told({}, error)).toBe(error);
  const explained = await told(given, new Error('timeout expired'));
  expect(await told(given, explained)).toBe(explained);
});

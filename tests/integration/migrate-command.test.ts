import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { databaseUrl, dropDatabase, onServer } from '../support/test-server.ts';

const COMMAND = fileURLToPath(new URL('../../src/cli/migrate.ts', import.meta.url));

function runMigrate(environment: Record<string, string>): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? '', ...environment };
    const child = execFile(process.execPath, [COMMAND], { env }, (_error, stdout) =>
      resolve({ code: child.exitCode ?? -1, output: stdout }),
    );
  });
}

test('migrate needs DATABASE_URL alone, says which database that is and what it applied, and does nothing the second time', async () => {
  const name = `posthorn_migrate_${randomBytes(6).toString('hex')}`;
  await onServer(inject('serverUrl'), `CREATE DATABASE ${name}`);
  try {
    const environment = { DATABASE_URL: databaseUrl(inject('serverUrl'), name) };
    const [first, second] = [await runMigrate(environment), await runMigrate(environment)];
    expect(first).toEqual({ code: 0, output: expect.stringContaining('applied 20261123000000_spine\n') });
    const { port } = new URL(environment.DATABASE_URL);
    expect(second).toEqual({ code: 0, output: `Database: 127.0.0.1:${port}/${name}\nnothing to apply\n` });
  } finally {
    await dropDatabase(inject('serverUrl'), name);
  }
});

test('migrate exits 2 when the configuration is not valid and 1 when the database cannot be reached', async () => {
  expect(await runMigrate({})).toEqual({ code: 2, output: expect.stringContaining('DATABASE_URL: required') });
  expect(await runMigrate({ DATABASE_URL: 'mysql://127.0.0.1/x' })).toMatchObject({ code: 2 });
  const nowhere = 'postgresql://posthorn@127.0.0.1:1/none';
  expect(await runMigrate({ DATABASE_URL: nowhere })).toEqual({
    code: 1,
    output: expect.stringContaining('Could not migrate'),
  });
});

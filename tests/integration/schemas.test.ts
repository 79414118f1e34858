import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { listMigrations } from '../../src/store/migration-files.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { call } from '../support/api.ts';
import { startPooler } from '../support/pooler.ts';
import { query } from '../support/query.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { databaseUrl, dropDatabase, onServer, TEST_LANES } from '../support/test-server.ts';
import { startTestService } from '../support/test-service.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

const ask = (text: string) => query(database.url, text);

/** What else a database or a role may have for a search path; by default it is a schema named like the role. */
async function lookElsewhereFirst(): Promise<void> {
  await ask(`DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', current_user); END $$`);
}

async function emptyDatabase(): Promise<string> {
  const name = `${new URL(database.url).pathname.slice(1)}_empty`;
  await onServer(database.url, `CREATE DATABASE ${name}`);
  onTestFinished(() => dropDatabase(inject('serverUrl'), name));
  return databaseUrl(database.url, name);
}

test('a schema named like the role that somebody makes splits nothing: what is stored is where it was, and is found there', async () => {
  await lookElsewhereFirst();
  await prepareDatabase(database.url, TEST_LANES);
  const service = await startTestService({ databaseUrl: database.url });
  onTestFinished(() => service.stop());
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const { status } = await call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: 1 });
  expect(status).toBe(202);
  expect(
    await ask(
      `SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'bullmq')`,
    ),
  ).toEqual([{ schemaname: 'public' }]);
  expect(await ask('SELECT count(*)::int AS n FROM public.events')).toEqual([{ n: 1 }]);
});

test('a search path of the URL or of the database does not hold', async () => {
  const url = new URL(await emptyDatabase());
  url.searchParams.set('options', '-c search_path=other');
  await query(url.href, 'CREATE SCHEMA other');
  await query(
    url.href,
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = other', current_database()); END $$`,
  );
  expect(await migrate(url.href)).toHaveLength((await listMigrations()).length);
  expect(await query(url.href, `SELECT FROM pg_tables WHERE schemaname = 'other'`)).toEqual([]);
});

test('behind a pooler that keeps our settings back, sessions that come to another schema first are refused, and nothing is made there', async () => {
  await lookElsewhereFirst();
  const pooler = await startPooler(database.url);
  onTestFinished(() => pooler.close());
  const told =
    /first \(search_path: "\$user", public\).*ignore_startup_parameters.*ALTER ROLE … SET search_path = public/;
  await expect(prepareDatabase(pooler.url, TEST_LANES)).rejects.toThrow(told);
  await expect(migrate(pooler.url)).rejects.toThrow(told);
  expect(await ask('SELECT FROM pg_tables WHERE schemaname = current_user')).toEqual([]);
});

test('a role that only may create is told to own the tables', async () => {
  await ask(`DELETE FROM _prisma_migrations WHERE migration_name = '20261130093000_told_notices'`);
  const role = new URL(database.url).pathname.slice(1);
  await onServer(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
  onTestFinished(() => onServer(inject('serverUrl'), `DROP OWNED BY ${role}; DROP ROLE ${role}`));
  await ask(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; GRANT CREATE ON SCHEMA public TO ${role}`);
  const url = Object.assign(new URL(database.url), { username: role, password: 'x' }).href;
  await expect(migrate(url)).rejects.toThrow(/must be owner of .*OWNER TO/);
});

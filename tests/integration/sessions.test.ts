import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { checkSession, UnsafeCommitError } from '../../src/store/check-session.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { openPool } from '../support/open-pool.ts';
import { startPooler } from '../support/pooler.ts';
import { startPostgresProcess } from '../support/postgres-process.ts';
import { query } from '../support/query.ts';
import { startReceiver } from '../support/receiver.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { databaseUrl, dropDatabase, onServer, TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let database: TestDatabase;
let service: TestService;

// An operator may have set whatever is faster for other programs as the database's own default, and gives a parameter of his own in the URL.
beforeAll(async () => {
  database = await createTestDatabase();
  await query(
    database.url,
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`,
  );
  await query(database.url, `CREATE TABLE sessions (wrote text, committed text, passes text, memory text)`);
  await query(
    database.url,
    `CREATE FUNCTION note_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO sessions VALUES (TG_TABLE_NAME, current_setting('synchronous_commit'), current_setting('enable_seqscan'), current_setting('work_mem'));
       RETURN NULL;
     END $$`,
  );
  for (const table of ['events', 'attempts', 'endpoints'])
    await query(
      database.url,
      `CREATE TRIGGER note_session AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION note_session()`,
    );
  service = await startTestService({ worker: true, databaseUrl: withOptions(database.url) });
});

function withOptions(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', '-c work_mem=5MB -c synchronous_commit=off');
  url.searchParams.set('statement_timeout', '1');
  return url.href;
}

afterAll(async () => {
  await service.stop();
  await database.drop();
});

test('G1 events, attempts and settings are committed to the disk before anybody is told, whatever the default of the database and the URL say', async () => {
  await call(service.baseUrl, 'POST', '/v1/tenants', { id: 'acme' });
  const url = `http://127.0.0.1:${await freePort()}/`;
  await call(service.baseUrl, 'POST', '/v1/tenants/acme/endpoints', { url, subscriptions: [{ types: ['a.b'] }] });
  await call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: 1 });
  const sessions = () => query(database.url, 'SELECT DISTINCT * FROM sessions ORDER BY wrote');
  // What makes probes by the hundred never goes through a whole table; what lists and searches may.
  expect(await eventually(sessions, (rows) => rows.length >= 3)).toEqual([
    { wrote: 'attempts', committed: 'on', passes: 'off', memory: '5MB' },
    { wrote: 'endpoints', committed: 'on', passes: 'on', memory: '5MB' },
    { wrote: 'events', committed: 'on', passes: 'off', memory: '5MB' },
  ]);
});

test('whatever a database has for a default of dates, bytes, transactions and plans, what is stored is delivered and shown as it is', async () => {
  const other = await createTestDatabase();
  onTestFinished(() => other.drop());
  const defaults = {
    datestyle: 'SQL, DMY',
    intervalstyle: 'sql_standard',
    timezone: 'Pacific/Kiritimati',
    bytea_output: 'escape',
    extra_float_digits: '-10',
    standard_conforming_strings: 'off',
    default_transaction_isolation: 'serializable',
    plan_cache_mode: 'force_generic_plan',
    idle_session_timeout: '500ms',
  };
  for (const [name, value] of Object.entries(defaults))
    await onServer(other.url, `ALTER DATABASE ${new URL(other.url).pathname.slice(1)} SET ${name} = '${value}'`);
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const strange = await startTestService({ worker: true, databaseUrl: other.url });
  onTestFinished(() => strange.stop());
  const ask = (method: string, path: string, body?: object) => call(strange.baseUrl, method, path, body);
  await ask('POST', '/v1/tenants', { id: 'acme' });
  const { body: endpoint } = await ask('POST', '/v1/tenants/acme/endpoints', { url: receiver.url });
  const data = 'a\\b\u00e9 \u0001';
  const posting = Array.from({ length: 8 }, () => ask('POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data }));
  expect((await Promise.all(posting)).map(({ status }) => status)).toEqual(Array(8).fill(202));
  const requests = await receiver.received(8);
  expect(requests.map(({ body }) => JSON.parse(body.toString()).data)).toEqual(Array(8).fill(data));
  const { list } = await eventually(
    async () => ({ list: (await ask('GET', '/v1/tenants/acme/deliveries?status=delivered')).body.data }),
    ({ list }) => list.length === 8,
  );
  const { body: attempts } = await ask('GET', `/v1/tenants/acme/deliveries/${list[0].id}/attempts`);
  for (const time of [endpoint.created_at, list[0].created_at, attempts.data[0].started_at])
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
});

test('G1 behind a pooler that keeps our settings back, it starts only where Postgres commits to the disk by default', async () => {
  const pooler = await startPooler(database.url);
  onTestFinished(() => pooler.close());
  await expect(prepareDatabase(pooler.url, TEST_LANES)).rejects.toThrow(
    /synchronous_commit=off .*ignore_startup_parameters.*ALTER ROLE/,
  );
  const empty = `${new URL(database.url).pathname.slice(1)}_empty`;
  await onServer(database.url, `CREATE DATABASE ${empty}`);
  onTestFinished(() => dropDatabase(inject('serverUrl'), empty));
  const emptyUrl = databaseUrl(pooler.url, empty);
  await query(emptyUrl, `ALTER DATABASE ${empty} SET synchronous_commit = off`);
  await expect(prepareDatabase(emptyUrl, TEST_LANES)).rejects.toThrow(/synchronous_commit=off/);
  expect(await query(emptyUrl, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).toEqual([]);
  const other = await createTestDatabase();
  onTestFinished(() => other.drop());
  const safe = await startPooler(other.url);
  onTestFinished(() => safe.close());
  await prepareDatabase(safe.url, TEST_LANES);
});

test('G1 where a standby is to be waited for, sessions that commit to this server alone are refused', async () => {
  const postgres = await startPostgresProcess({ settings: { synchronous_standby_names: '*' } });
  onTestFinished(() => postgres.close());
  const check = async (level: string) => {
    const pool = openPool(postgres.url, { max: 1, options: `-c synchronous_commit=${level}` });
    await checkSession(pool).finally(() => pool.end());
  };
  await expect(check('local')).rejects.toThrow(UnsafeCommitError);
  await check('on');
});

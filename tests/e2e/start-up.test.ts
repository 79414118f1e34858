import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { query } from '../support/query.ts';
import { runServiceProcess, type SpawnedProcess, startServiceProcess } from '../support/service-process.ts';
import { environment } from '../support/stage.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { TEST_LANES } from '../support/test-server.ts';

const NOWHERE = 'postgresql://nobody@127.0.0.1:1/none';

test('a port that is taken ends the start with exit code 1 and says which port and what to do', async () => {
  const other = createServer();
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
  });
  onTestFinished(() => void other.close());
  const { code, output } = await runServiceProcess({ ...environment(NOWHERE), PORT: String(port) });
  expect(code).toBe(1);
  expect(output).toContain(`Port ${port} on 127.0.0.1 is taken`);
  expect(output).toContain('PORT=');
});

test('all configuration errors are told together, without a secret, and the exit code is 2', async () => {
  const wrong = {
    PORT: 'eighty',
    LANES: '0',
    MASTER_KEY: 'hunter2-master',
    OPERATOR_KEY: 'hunter2-op',
    ROLES: 'cook',
    REDIS_URL: 'http://x',
  };
  const { code, output } = await runServiceProcess({ ...environment(NOWHERE), ...wrong });
  expect(code).toBe(2);
  for (const name of Object.keys(wrong)) expect(output).toContain(`- ${name}:`);
  expect(output).not.toContain('hunter2');
});

test('all faults of the file of sources are told together, beside those of the variables, without a secret, and the exit code is 2', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-start-up-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'sources.yaml');
  const sources = ['{type: kafka, name: a, connection: {brokers: [h], sasl: {password: hunter2}}}', '{type: nonsense}'];
  await writeFile(file, `sources:\n${sources.map((source) => `  - ${source}\n`).join('')}`);
  const env = { ...environment(NOWHERE), ROLES: 'ingest', SOURCES_FILE: file, PORT: 'http' };
  const { code, output } = await runServiceProcess(env);
  expect(code).toBe(2);
  expect(output).toContain('- PORT:');
  for (const place of ['sources.0.connection.brokers.0', 'sources.0.consume', 'sources.1.type'])
    expect(output).toContain(`SOURCES_FILE: ${place}:`);
  expect(output).not.toContain('hunter2');
});

test('an argument ends the start with exit code 2 and says how it is configured; asked for help it prints that alone', async () => {
  const wrong = await runServiceProcess(environment(NOWHERE), ['--port=80']);
  expect(wrong.code).toBe(2);
  expect(wrong.output).toMatch(/^Unknown option '--port'\n\nnpm start\n.*docs\/configuration\.md/s);
  const asked = await runServiceProcess(environment(NOWHERE), ['--help']);
  expect(asked).toMatchObject({ code: 0, output: expect.stringMatching(/^npm start\n/) });
});

test('F62: another number of lanes is refused, and the number that holds is named', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const { code, output } = await runServiceProcess({ ...environment(database.url), LANES: String(TEST_LANES * 2) });
  expect(code).toBe(1);
  expect(output).toContain(`LANES=${TEST_LANES}`);
});

test('a database that does not answer ends the start with exit code 1 and no stack', async () => {
  const { code, output } = await runServiceProcess(environment(NOWHERE));
  expect(code).toBe(1);
  expect(output).toMatch(/could not start: .*ECONNREFUSED/);
  expect(output).not.toMatch(/^\s+at /m);
});

test('an empty DATABASE_URL beside MASTER_KEY starts the embedded Postgres, with a warning', async () => {
  const { MASTER_KEY } = environment(NOWHERE);
  const env = { DATABASE_URL: '', MASTER_KEY: String(MASTER_KEY), DATA_DIR: import.meta.filename, PORT: '0' };
  const { code, output } = await runServiceProcess(env);
  expect(code).toBe(1);
  expect(output).toMatch(/"level":"warn".*"event":"database\.url_empty".*"beside":"MASTER_KEY"/);
  expect(output).toContain('Set DATA_DIR to another folder');
});

test('a data folder that cannot be made ends the start at once, with which, why and what to do', async () => {
  const folders = [import.meta.filename, ...(process.platform === 'linux' ? ['/proc/x', '/proc'] : [])];
  for (const folder of folders) {
    const { code, output } = await runServiceProcess({ DATA_DIR: folder, PORT: '0' });
    expect({ folder, code }).toEqual({ folder, code: 1 });
    expect(output).toContain(`${folder} is no folder, and cannot be made one. Set DATA_DIR to another folder.`);
    expect(output).not.toMatch(/^\s+at /m);
  }
});

/** Passes each connection on when it is so old. */
async function slowWayTo(databaseUrl: string, afterMs: number): Promise<string> {
  const { hostname, port } = new URL(databaseUrl);
  const proxy = createServer(async (socket) => {
    socket.on('error', () => {});
    await delay(afterMs);
    const server = connect(Number(port), hostname);
    server.on('error', () => socket.destroy());
    socket.on('close', () => server.destroy());
    socket.pipe(server).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  const { port: ownPort } = proxy.address() as AddressInfo;
  return Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(ownPort) }).href;
}

test('a Postgres that takes its time for each connection, as on a machine where much starts at once, is waited for at the start', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const url = await slowWayTo(database.url, 1_200);
  const service = await startServiceProcess({ ...environment(url), INGEST_DEADLINE_MS: '900' });
  expect((await service.kill('SIGTERM')).code).toBe(0);
});

test('a start that waits for another process that migrates says so in its log, and goes on when that is done', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  await query(
    database.url,
    `DELETE FROM _prisma_migrations WHERE migration_name = '20261130035000_old_subscription_bytes'`,
  );
  const migrating = new pg.Client({ connectionString: database.url, application_name: 'other-version' });
  onTestFinished(() => migrating.end());
  await migrating.connect();
  await migrating.query('BEGIN; SELECT pg_advisory_xact_lock(7402)');
  const spawned = Promise.withResolvers<SpawnedProcess>();
  const starting = startServiceProcess(environment(database.url), { onSpawn: spawned.resolve });
  const waiting = await spawned.promise;
  onTestFinished(() => waiting.kill('SIGKILL').then(() => {}));
  const line = await Promise.race([waiting.said(/"event":"database\.migration_waits"/), starting]);
  expect(JSON.parse(String(line))).toMatchObject({
    level: 'warn',
    waits_for: expect.stringContaining('other-version'),
  });
  await migrating.query('COMMIT');
  await starting;
});

test('with a database of its own and no demo, it prints where it listens and the key that it made', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-start-up-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const started = await startServiceProcess({ DATA_DIR: dataDir, PORT: '0', DEMO: 'false', SHUTDOWN_SECONDS: '8' });
  try {
    await started.said(/Ctrl-C stops it/);
    expect(started.output()).toContain(`Posthorn listens on ${started.baseUrl}`);
    const key = /Operator key: +(\S+)/.exec(started.output())?.[1];
    expect(
      (await call(started.baseUrl, 'GET', '/v1/tenants', undefined, { authorization: `Bearer ${key}` })).status,
    ).toBe(200);
  } finally {
    await started.kill('SIGTERM');
  }
});

test('a pair of SIGINTs, as a terminal and npm together send them, stops the service in order', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const service = await startServiceProcess(environment(database.url));
  service.signal('SIGINT');
  expect(await service.kill('SIGINT')).toEqual({ code: 0, signal: null });
  expect(service.output()).toContain('"service.stopped"');
});

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { stopLeftoverServer } from '../../src/embedded/leftover-server.ts';
import { processIdentity } from '../../src/embedded/process-identity.ts';
import { canReach } from '../../src/embedded/server-account.ts';
import { processGone } from '../../src/embedded/stop-server.ts';

const MODULE = new URL('../../src/embedded/embedded-postgres.ts', import.meta.url);
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const nobodyReachesUs =
  isRoot && (await canReach(NOBODY, dirname(MODULE.pathname))) && (await canReach(NOBODY, dirname(process.execPath)));

/** A data folder whose server was started once and stopped, for tests that have no use for a first start. */
let made: string;
let top: string;
let dataDir: string;
const servers: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'posthorn-embedded-made-'));
  await chmod(made, 0o755);
  await (await startEmbeddedPostgres({ dataDir: join(made, 'data'), log: () => {} })).stop();
});

afterAll(() => rm(made, { recursive: true, force: true }));

/** Lets `dataDir` be as after a first start; with its owners, which a copy by Node would lose. */
function copyMade(): void {
  execFileSync('cp', ['-a', join(made, 'data'), dataDir]);
}

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'posthorn-embedded-'));
  await chmod(top, 0o755);
  dataDir = join(top, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(top, { recursive: true, force: true });
});

async function start(
  options: { dataDir?: string; settings?: Record<string, string>; lines?: string[] } = {},
): Promise<EmbeddedPostgres> {
  const { lines = [], ...rest } = options;
  const server = await startEmbeddedPostgres({ dataDir, log: (line) => lines.push(line), ...rest });
  servers.push(server);
  return server;
}

async function query(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  // A server that is killed cuts the session; the tests look at the server.
  client.on('error', () => undefined);
  await client.connect();
  const values: unknown[] = [];
  for (const statement of statements) values.push(Object.values((await client.query(statement)).rows[0] ?? {})[0]);
  await client.end();
  return values;
}

/** Another process that starts the server on `dataDir`, stays, and survives SIGINT. */
function startChild(options: { account?: typeof NOBODY; under?: readonly string[] } = {}) {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(MODULE.href)};
    process.on('SIGINT', () => console.log('interrupted'));
    process.on('message', async () => { await server.stop(); process.disconnect(); process.exit(); });
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => {} });
    console.log(JSON.stringify({ url: server.url, pid: server.pid }));`;
  const [file, ...args] = [...(options.under ?? []), process.execPath, '--input-type=module', '-e', script];
  const child = spawn(file!, args, {
    ...(options.account ? { ...options.account, env: { PATH: process.env.PATH } } : {}),
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.push(child);
  if (!child.stdout) throw new Error('no output');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await lines.next()).value ?? 'ended';
  return { child, line, server: async (): Promise<{ url: string; pid: number }> => JSON.parse(await line()) };
}

/** Resolves once the server's log says it. */
async function said(what: RegExp): Promise<void> {
  while (!what.test(await readFile(join(dataDir, 'postgres.log'), 'utf8').catch(() => ''))) await delay(10);
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('data outlives a stop and a start, with the settings that the product relies on', async () => {
  const first = await start({ settings: { fsync: 'off' } });
  await query(first.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
  expect(
    await query(
      first.url,
      'SHOW data_checksums',
      'SHOW server_encoding',
      'SHOW synchronous_commit',
      'SHOW jit',
      'SHOW fsync',
      'SHOW listen_addresses',
      'SELECT datcollate FROM pg_database WHERE datname = current_database()',
    ),
  ).toEqual(['on', 'UTF8', 'on', 'off', 'off', '127.0.0.1', 'C']);
  await first.stop();
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const second = await start();
  expect(await query(second.url, 'SELECT id FROM kept', 'SHOW fsync')).toEqual([42, 'on']);
});

test('nobody gets in without the password, and only we can read it', async () => {
  copyMade();
  const { url } = await start();
  const wrong = new URL(url);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  expect((await stat(join(dataDir, 'postgres-password'))).mode & 0o077).toBe(0);
});

test('a server killed with -9 is reported, frees its data folder, and loses nothing committed', async () => {
  copyMade();
  const first = await start();
  await query(first.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const second = await start();
  expect(await query(second.url, 'SELECT id FROM kept')).toEqual([42]);
});

test('a server left behind by a killed parent is ended at the next start, and nothing committed is lost', async () => {
  copyMade();
  const { child, server } = startChild();
  const orphan = await server();
  await query(orphan.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
  await kill(child);
  expect(await processIdentity(orphan.pid)).not.toBeNull();
  const lines: string[] = [];
  const next = await start({ lines });
  expect(await processIdentity(orphan.pid)).toBeNull();
  expect(lines.join()).toContain(`pid ${orphan.pid}`);
  expect(await query(next.url, 'SELECT id FROM kept')).toEqual([42]);
});

const blinded = ['setpriv', '--bounding-set', '-sys_ptrace'];
const canBeBlinded = isRoot && spawnSync(blinded[0]!, [...blinded.slice(1), 'true']).status === 0;

test.runIf(canBeBlinded)(
  'a server left behind is ended also by a root that may not look into processes of other accounts, as in a container',
  async () => {
    copyMade();
    const { child, server } = startChild();
    const orphan = await server();
    await query(orphan.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
    await kill(child);
    const next = await startChild({ under: blinded }).server();
    expect(await processIdentity(orphan.pid)).toBeNull();
    expect(await query(next.url, 'SELECT id FROM kept')).toEqual([42]);
    process.kill(next.pid, 'SIGINT');
    await processGone(next.pid);
  },
);

test.runIf(isRoot)('where it cannot be told whose server it is, the pid file is left to Postgres', async () => {
  copyMade();
  const cluster = join(dataDir, 'postgres');
  const file = `${process.pid}\n${cluster}\n0\n5432\n\n127.0.0.1\n`;
  await writeFile(join(cluster, 'postmaster.pid'), file);
  await stopLeftoverServer(
    cluster,
    () => {},
    async () => 'unknown',
  );
  expect(await readFile(join(cluster, 'postmaster.pid'), 'utf8')).toBe(file);
});

test('a second start on a data folder that a live process uses is refused and disturbs nothing', async () => {
  copyMade();
  const { child, server } = startChild();
  const { url } = await server();
  await expect(start()).rejects.toMatchObject({
    kind: 'in-use',
    message: expect.stringMatching(new RegExp(`process ${child.pid}\\b.*${dataDir}`)),
  });
  expect(await query(url, 'SELECT 1')).toEqual([1]);
  child.send('stop');
  await once(child, 'exit');
  await start();
});

/** As another container does. */
async function takeOver(): Promise<void> {
  const lock = join(dataDir, 'postgres.lock');
  const next = Math.max(...(await readdir(lock)).map(Number)) + 1;
  await writeFile(
    join(lock, String(next)),
    JSON.stringify({ pid: 1, identity: '', scope: 'elsewhere', released: true }),
  );
}

test('a server whose data folder another container took over, while this one stood still, is stopped at once', async () => {
  copyMade();
  const lines: string[] = [];
  const { url, exited } = await start({ lines });
  await query(url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
  await takeOver();
  await exited;
  expect(lines.join()).toContain('took over the data folder');
  // By SIGQUIT it writes no checkpoint, and recovers.
  const second = await start();
  expect(await readFile(join(dataDir, 'postgres.log'), 'utf8')).toMatch(/immediate shutdown|not properly shut down/);
  expect(await query(second.url, 'SELECT id FROM kept')).toEqual([42]);
});

test('also one that is being stopped already is stopped at once then: it writes no checkpoint', async () => {
  copyMade();
  const { promise: told, resolve: tell } = Promise.withResolvers<string>();
  const server = await startEmbeddedPostgres({ dataDir, log: tell });
  servers.push(server);
  // It hears what it is told when it goes on.
  process.kill(server.pid, 'SIGSTOP');
  const stopped = server.stop();
  await takeOver();
  expect(await told).toContain('took over the data folder');
  process.kill(server.pid, 'SIGCONT');
  await stopped;
  expect(await readFile(join(dataDir, 'postgres.log'), 'utf8')).toContain('immediate shutdown');
});

test('Ctrl-C in a terminal leaves the server to the service, which ends it', async () => {
  copyMade();
  const { child, line, server } = startChild();
  const { url, pid } = await server();
  process.kill(-(child.pid ?? 0), 'SIGINT');
  expect(await line()).toBe('interrupted');
  expect(await query(url, 'SELECT 1')).toEqual([1]);
  child.send('stop');
  await once(child, 'exit');
  expect(await processIdentity(pid)).toBeNull();
});

test('a first start that was killed half-way is done again', async () => {
  const entries = () => readdir(dataDir).catch(() => [] as string[]);
  const isHalfWay = async () => {
    const unfinished = (await entries()).find((name) => /^postgres\.unfinished-\w+$/.test(name));
    return (await stat(join(dataDir, unfinished ?? 'none', 'PG_VERSION')).catch(() => null)) !== null;
  };
  const isWhole = async () => (await entries()).includes('postgres');
  // It may be whole before it is seen, or killed: then another try is due.
  for (let tries = 0; tries < 10; tries++) {
    const { child } = startChild();
    while (!(await isHalfWay()) && !(await isWhole())) await delay(5);
    await kill(child);
    if (!(await isWhole())) break;
    await (await startEmbeddedPostgres({ dataDir, log: () => {} })).stop();
    await rm(dataDir, { recursive: true });
  }
  expect(await isWhole()).toBe(false);
  const server = await start();
  expect(await query(server.url, 'SELECT 1')).toEqual([1]);
});

test('a first start that is aborted leaves no half-made database behind, and the data folder free', async () => {
  const abort = new AbortController();
  const reason = new Error('not today');
  const starting = startEmbeddedPostgres({ dataDir, log: () => abort.abort(reason), signal: abort.signal });
  await expect(starting).rejects.toBe(reason);
  expect((await readdir(dataDir)).filter((name) => /^postgres($|\.unfinished)/.test(name))).toEqual([]);
  await start();
});

test('a start that is aborted while the server comes up leaves no server behind', async () => {
  copyMade();
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  const reason = new Error('not today');
  let outcome: unknown;
  // The server may be ready at the very moment of the abort: then it was not aborted, and another try is due.
  for (let tries = 0; tries < 10 && outcome !== reason; tries++) {
    const abort = new AbortController();
    const starting = startEmbeddedPostgres({ dataDir, log: () => undefined, signal: abort.signal }).then(
      (server) => server.stop(),
      (error: unknown) => error,
    );
    while (!(await stat(pidFile).catch(() => null))) await delay(1);
    abort.abort(reason);
    outcome = await starting;
  }
  expect(outcome).toBe(reason);
  expect(await stat(pidFile).catch(() => null)).toBeNull();
});

test('a pid file whose number belongs to another program by now does not keep the server from starting', async () => {
  copyMade();
  const cluster = join(dataDir, 'postgres');
  const { uid, gid } = await stat(cluster);
  // Postgres itself steps aside for a live process of its own user, unless it is its parent.
  const other = spawn('sleep', ['60'], { cwd: '/', ...(isRoot ? { uid, gid } : {}) });
  children.push(other);
  await once(other, 'spawn');
  await writeFile(join(cluster, 'postmaster.pid'), `${other.pid}\n${cluster}\n0\n5432\n\n127.0.0.1\n`);
  const server = await start();
  expect(await query(server.url, 'SELECT 1')).toEqual([1]);
  expect(await processIdentity(other.pid ?? 0)).not.toBeNull();
});

test('a server that cannot start is quoted, and the data folder is free for the next try', async () => {
  copyMade();
  await expect(start({ settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
    name: 'EmbeddedPostgresError',
    message: expect.stringMatching(/invalid value for parameter "shared_buffers".*postgres\.log/s),
  });
  await start();
});

test('a server waits for what is left of a killed one, rather than fail or touch its memory', async () => {
  copyMade();
  const first = await start();
  const client = new pg.Client({ connectionString: first.url });
  client.on('error', () => undefined);
  await client.connect();
  const backend: number = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  process.kill(backend, 'SIGSTOP');
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const starting = start();
  await said(/pre-existing shared memory block/);
  process.kill(backend, 'SIGKILL');
  expect(await query((await starting).url, 'SELECT 1')).toEqual([1]);
  await client.end().catch(() => undefined);
});

test('a server whose port was taken meanwhile tries again', async () => {
  copyMade();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  const starting = start({ settings: { port } });
  await said(/could not create any TCP\/IP sockets/);
  taken.close();
  const url = new URL((await starting).url);
  url.port = port;
  expect(await query(url.href, 'SELECT 1')).toEqual([1]);
});

test('a data folder that cannot be made is refused with what to do about it', async () => {
  await writeFile(join(top, 'file'), '');
  await expect(start({ dataDir: join(top, 'file', 'data') })).rejects.toMatchObject({
    name: 'EmbeddedPostgresError',
    message: expect.stringContaining(top),
  });
});

test.runIf(isRoot)('as root, no link that the other user put in its folders is followed', async () => {
  copyMade();
  const { uid, gid } = await stat(join(dataDir, 'postgres'));
  const others = join(top, 'file-of-root');
  await writeFile(others, 'as it was', { mode: 0o600 });
  for (const link of ['postgres/posthorn.conf', 'postgres.log']) {
    await rm(join(dataDir, link));
    await symlink(others, join(dataDir, link));
    await lchown(join(dataDir, link), uid, gid);
  }
  const { url } = await start();
  expect(await readFile(others, 'utf8')).toBe('as it was');
  expect(await stat(others)).toMatchObject({ uid: 0, gid: 0 });
  expect(await query(url, 'SHOW jit')).toEqual(['off']);
});

test.runIf(isRoot)('as root, the server runs as another user', async () => {
  copyMade();
  const { pid } = await start();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  expect(status).not.toMatch(/^Uid:\s+0\b/m);
});

test.runIf(isRoot)(
  'as root, with a data folder that the other user cannot reach, the data is kept where it can, and found again',
  async () => {
    await mkdir(join(top, 'home'), { mode: 0o700 });
    dataDir = join(top, 'home', 'data');
    const first = await start();
    const place = (await readFile(join(dataDir, 'postgres-location'), 'utf8')).trim();
    try {
      await query(first.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
      await first.stop();
      const second = await start();
      expect(await query(second.url, 'SELECT id FROM kept')).toEqual([42]);
      await expect(start()).rejects.toMatchObject({ kind: 'in-use' });
      await second.stop();
    } finally {
      await Promise.all(servers.splice(0).map((server) => server.stop()));
      await rm(place, { recursive: true });
    }
  },
);

test.runIf(isRoot)(
  'as root, a data folder in folders that do not exist yet has its database in it, whatever the umask is',
  async () => {
    dataDir = join(top, 'var', 'lib', 'data');
    const { child, server } = startChild({ under: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] });
    await server();
    const elsewhere = await readFile(join(dataDir, 'postgres-location'), 'utf8').catch(() => null);
    try {
      expect(elsewhere).toBeNull();
      expect((await stat(join(dataDir, 'postgres'))).uid).not.toBe(0);
      expect((await stat(dataDir)).mode & 0o007).toBe(0);
    } finally {
      child.send('stop');
      await once(child, 'exit');
      if (elsewhere !== null) await rm(elsewhere.trim(), { recursive: true });
    }
  },
);

test('a copy of a data folder that is in use says so, and what to do, rather than have the original stopped', async () => {
  copyMade();
  const original = await start();
  const copy = join(top, 'copy');
  // A snapshot: its database is whole, and the files of the server that runs are those of that moment.
  execFileSync('cp', ['-a', join(made, 'data'), copy]);
  await rm(join(copy, 'postgres.lock'), { recursive: true });
  for (const file of ['postgres.lock', 'postgres/postmaster.pid'])
    execFileSync('cp', ['-a', join(dataDir, file), join(copy, dirname(file))]);
  const told = await start({ dataDir: copy }).catch((error: Error) => error.message);
  expect(told).toContain(`${copy} is a copy of the data folder of another Posthorn (process ${process.pid})`);
  expect(told).toContain(`delete the folder ${join(copy, 'postgres.lock')}`);
  await rm(join(copy, 'postgres.lock'), { recursive: true });
  expect(await query((await start({ dataDir: copy })).url, 'SELECT 1')).toEqual([1]);
  expect(await query(original.url, 'SELECT 1')).toEqual([1]);
});

test.runIf(isRoot)(
  'a copied data folder does not run on the database of the original, which is kept elsewhere',
  async () => {
    await mkdir(join(top, 'home'), { mode: 0o700 });
    dataDir = join(top, 'home', 'data');
    const first = await start();
    const place = (await readFile(join(dataDir, 'postgres-location'), 'utf8')).trim();
    const copy = join(top, 'home', 'copy');
    const refusal = (of: string) => ({
      name: 'EmbeddedPostgresError',
      message: expect.stringContaining(`is that of ${of}`),
    });
    try {
      await query(first.url, 'CREATE TABLE kept (id int)', 'INSERT INTO kept VALUES (42)');
      await first.stop();
      execFileSync('cp', ['-a', dataDir, copy]);
      await expect(start({ dataDir: copy })).rejects.toMatchObject(refusal(dataDir));
      // As a version left it that did not name the data folder: the folder's own name tells.
      await rm(join(place, 'data-dir'));
      await expect(start({ dataDir: copy })).rejects.toMatchObject(refusal('another data folder'));
      await (await start()).stop();
      await expect(start({ dataDir: copy })).rejects.toMatchObject(refusal(dataDir));
      // What the message says of a folder that was moved.
      await writeFile(join(place, 'data-dir'), `${copy}\n`);
      expect(await query((await start({ dataDir: copy })).url, 'SELECT id FROM kept')).toEqual([42]);
      await expect(start()).rejects.toMatchObject(refusal(copy));
    } finally {
      await Promise.all(servers.splice(0).map((server) => server.stop()));
      await rm(place, { recursive: true });
    }
  },
);

test.runIf(nobodyReachesUs)(
  'an ordinary user runs the server as itself, with the data in its data folder',
  async () => {
    await mkdir(dataDir);
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const { child, server } = startChild({ account: NOBODY });
    const { url } = await server();
    expect(await query(url, 'SELECT 1')).toEqual([1]);
    expect((await stat(join(dataDir, 'postgres'))).uid).toBe(NOBODY.uid);
    child.send('stop');
    await once(child, 'exit');
  },
);

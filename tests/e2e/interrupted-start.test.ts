import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { readPostmasterFile } from '../../src/embedded/postmaster-file.ts';
import { processIdentity } from '../../src/embedded/process-identity.ts';
import { processGone } from '../../src/embedded/stop-server.ts';
import { runServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { environment } from '../support/stage.ts';
import { startArguments } from '../support/start-arguments.ts';
import { createTestDatabase } from '../support/test-database.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'posthorn-interrupted-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  onTestFinished(async () => {
    const pid = await postgresPid();
    if (pid === null) return;
    const gone = processGone(pid);
    process.kill(pid, 'SIGQUIT');
    await gone;
  });
});

/** Of a Postgres that runs on the data folder. */
async function postgresPid(): Promise<number | null> {
  const file = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(file, 10);
  return file !== '' && (await processIdentity(pid)) !== null ? pid : null;
}

/** A process with a pipe for its output. */
function spawnNode(args: readonly string[], env: Record<string, string>, stdin: 'ignore' | number = 'ignore') {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: [stdin, 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: once(child, 'close') };
}

/** Makes the installation that a command works on. */
async function startOnce(): Promise<void> {
  const service = await startServiceProcess({ DATA_DIR: dataDir, PORT: '0', DEMO: 'false' });
  await service.said(/Ctrl-C stops it/);
  await service.kill('SIGTERM');
}

test('a start that cannot use its keys leaves no Postgres behind', async () => {
  await writeFile(join(dataDir, 'master-key'), '');
  const { code, output } = await runServiceProcess({ DATA_DIR: dataDir, PORT: '0' });
  expect({ code, pid: await postgresPid() }).toEqual({ code: 1, pid: null });
  expect(output).toContain('master-key holds no key');
});

test('a resealing that cannot use the key of the installation leaves no Postgres behind', async () => {
  await startOnce();
  await writeFile(join(dataDir, 'master-key'), '');
  const { child, ended } = spawnNode(['src/cli/reseal.ts'], { DATA_DIR: dataDir });
  const said = await text(child.stdout!);
  expect(said).toContain(`Database: embedded in ${dataDir}\n`);
  expect(said).toContain('master-key holds no key');
  expect(await ended).toEqual([1, null]);
  expect(await postgresPid()).toBeNull();
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a resealing that is told to stop by %s leaves no Postgres behind',
  async (signal) => {
    await startOnce();
    // It waits once it is connected.
    await appendFile(join(dataDir, 'postgres/postgresql.conf'), 'post_auth_delay = 600\n');
    const { child, ended } = spawnNode(['src/cli/reseal.ts'], { DATA_DIR: dataDir });
    const output = text(child.stdout!);
    while ((await readPostmasterFile(join(dataDir, 'postgres')))?.ready !== true) await delay(10);
    child.kill(signal);
    expect(await ended).toEqual([1, null]);
    expect(await output).toContain('Stopped before it was done');
    expect(await postgresPid()).toBeNull();
  },
);

test('a resealing whose output nobody reads any more, as with `| head`, is done all the same and leaves no Postgres behind', async () => {
  await startOnce();
  const { child, ended } = spawnNode(['src/cli/reseal.ts'], { DATA_DIR: dataDir });
  child.stdout!.destroy();
  expect(await ended).toEqual([0, null]);
  expect(await postgresPid()).toBeNull();
});

test('a process that is told to stop while its first database is made stops at once, and leaves none behind', async () => {
  const { child, ended } = spawnNode(startArguments(), { DATA_DIR: dataDir, PORT: '0' });
  let output = '';
  for await (const chunk of child.stdout!) {
    if (!output.includes('Making an empty database')) child.kill('SIGTERM');
    output += chunk;
  }
  expect(await ended).toEqual([0, null]);
  expect(output).not.toContain('service.started');
  expect((await readdir(dataDir)).filter((name) => /^postgres($|\.unfinished)/.test(name))).toEqual([]);
});

test('a process without a terminal, as under nohup, makes its first database all the same when one is closed meanwhile', async () => {
  const child = spawn(process.execPath, startArguments(), {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: dataDir, PORT: '0', DEMO: 'false' },
    stdio: ['ignore', 'pipe', 'ignore'],
    // A process group of its own, which a closed terminal signals.
    detached: true,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const output = text(child.stdout);
  const isBeingMade = async () => {
    const folder = (await readdir(dataDir)).find((name) => /^postgres\.unfinished-[0-9a-f]+$/.test(name));
    return folder !== undefined && (await readdir(join(dataDir, folder))).length > 0;
  };
  while (child.exitCode === null && !(await isBeingMade())) await delay(5);
  process.kill(-child.pid!, 'SIGHUP');
  while (child.exitCode === null && (await readPostmasterFile(join(dataDir, 'postgres')))?.ready !== true)
    await delay(10);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(await output).not.toContain('Cannot make');
});

test('a process that is told to stop while the demo waits for its delivery does not wait for it', async () => {
  // Takes what is to be delivered, and answers nothing.
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as { port: number };
  const proxy = `http://127.0.0.1:${port}`;
  const service = await startServiceProcess({
    DATA_DIR: dataDir,
    PORT: '0',
    EGRESS_PROXY_URL: proxy,
    SHUTDOWN_SECONDS: '8',
  });
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(service.output()).toMatch(/"service.stopping".*"service.stopped"/s);
  expect(service.output()).not.toMatch(/Ctrl-C stops it/);
});

test('a service whose terminal is closed ends as at SIGTERM', { skip: process.platform !== 'linux' }, async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const terminal = openSync('/dev/ptmx', 'r+');
  const { child, ended } = spawnNode(startArguments(), environment(database.url), terminal);
  let output = '';
  for await (const chunk of child.stdout!) {
    output += chunk;
    if (output.includes('service.started') && !child.killed) child.kill('SIGHUP');
  }
  expect(await ended).toEqual([0, null]);
  expect(output).toMatch(/"service.stopping","reason":"SIGHUP".*"service.stopped"/s);
});

test('a service that has no terminal, as under nohup, goes on when one is closed', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const service = await startServiceProcess(environment(database.url));
  service.signal('SIGHUP');
  expect((await fetch(`${service.baseUrl}/healthz`)).status).toBe(200);
  expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(service.output()).toContain('"reason":"SIGTERM"');
});

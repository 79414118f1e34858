import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { freePort } from './free-port.ts';

/** A Redis of the test's own, always on one port. */
export interface RedisProcess {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  /** An inline command, and the answer as it came. @throws Error when Redis answers with an error. */
  command(text: string): Promise<string>;
  flushAll(): Promise<void>;
  /** Connections that wait for jobs now. */
  consumers(): Promise<number>;
  /** How many jobs were added to the queue of lanes since it was last flushed. */
  jobsAdded(prefix: string): Promise<number>;
  crash(): Promise<void>;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  close(): Promise<void>;
}

export function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

/** Skips a test, saying why, on a machine without Redis; in CI it fails there instead. */
export function requireRedis(context: TestContext): void {
  if (hasRedis()) return;
  if (process.env.CI) throw new Error('redis-server is not installed, and CI must run the tests that need it');
  context.skip('redis-server is not installed');
}

const APPEND_ONLY: readonly string[] = ['--appendonly', 'yes'];

/** @param settings arguments of `redis-server` in place of the append-only file */
export async function startRedisProcess(settings: readonly string[] = APPEND_ONLY): Promise<RedisProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-chaos-redis-'));
  const port = await freePort();
  let child = await launch(port, folder, settings);
  const crash = async () => {
    const exited = once(child, 'exit');
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid!;
    },
    command: (text) => command(port, text),
    flushAll: async () => void (await command(port, 'FLUSHALL')),
    jobsAdded: async (prefix) => Number((await command(port, `GET ${prefix}:lanes:id`)).split('\r\n')[1] ?? 0),
    consumers: async () => (await command(port, 'CLIENT LIST')).match(/cmd=bzpopmin/g)?.length ?? 0,
    crash,
    start: async () => {
      child = await launch(port, folder, settings);
    },
    signal: (signal) => void child.kill(signal),
    close: async () => {
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(port: number, folder: string, more: readonly string[]): Promise<ChildProcess> {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...more];
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'ignore'] });
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => chunk.includes('Ready to accept connections') && resolve());
  child.on('close', () => reject(new Error('redis-server ended at its start')));
  await ready;
  return child;
}

async function command(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${text}\r\n`);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  if (String(answer).startsWith('-')) throw new Error(`${text}: ${answer}`);
  return String(answer);
}

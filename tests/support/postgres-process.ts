import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { query } from './stage.ts';

/** A Postgres of the test's own that may be killed, stopped and started again, always on one port, with `fsync` on. */
export interface PostgresProcess {
  readonly url: string;
  /** Ends it as a power cut does; the next start recovers. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Holds every process of it still (SIGSTOP): connections stay open and nothing answers. @returns what lets it go on. */
  freeze(): Promise<() => void>;
  close(): Promise<void>;
}

export async function startPostgresProcess(): Promise<PostgresProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-chaos-postgres-'));
  const port = await freePort();
  const start = () => startEmbeddedPostgres({ dataDir, log: () => {}, settings: { port: String(port) } });
  let server: EmbeddedPostgres = await start();
  const url = new URL(server.url);
  url.port = String(port);
  return {
    url: url.href,
    crash: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    start: async () => {
      server = await start();
    },
    freeze: async () => {
      const rows = await query(url.href, 'SELECT pid FROM pg_stat_activity');
      const pids: number[] = [server.pid, ...rows.map((row) => row.pid)];
      signalAll(pids, 'SIGSTOP');
      return () => signalAll(pids, 'SIGCONT');
    },
    close: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Those that ended meanwhile, such as the connection that asked for the list, are passed over. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}

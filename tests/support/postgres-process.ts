import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { freePort } from './free-port.ts';
import { query } from './query.ts';

/** A Postgres of the test's own that may be killed, stopped and started again, always on one port, with `fsync` on. */
export interface PostgresProcess {
  readonly url: string;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  /** Ends it as a power cut does; the next start recovers. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Holds every process of it still (SIGSTOP): connections stay open and nothing answers. @returns what lets it go on. */
  freeze(): Promise<() => void>;
  close(): Promise<void>;
}

export interface PostgresProcessOptions {
  /** A folder of the caller's own; without it one is made, and removed at the end. */
  readonly dataDir?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startPostgresProcess(options: PostgresProcessOptions = {}): Promise<PostgresProcess> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'posthorn-chaos-postgres-')));
  const port = await freePort();
  const settings = { port: String(port), ...options.settings };
  const start = () => startEmbeddedPostgres({ dataDir, log: () => {}, settings });
  let server: EmbeddedPostgres = await start();
  const url = new URL(server.url);
  url.port = String(port);
  return {
    url: url.href,
    get pid() {
      return server.pid;
    },
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
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
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

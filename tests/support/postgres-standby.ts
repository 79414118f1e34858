import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { spawnAs } from '../../src/embedded/run-program.ts';
import { serverAccount } from '../../src/embedded/server-account.ts';
import { findServerBinaries } from '../../src/embedded/server-binaries.ts';
import { settingArguments } from '../../src/embedded/server-settings.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { PATIENCE_MS } from './patience.ts';
import type { PostgresProcess } from './postgres-process.ts';
import { query } from './query.ts';

/** A hot standby: it answers reads, refuses writes, and can take its primary's place. */
export interface PostgresStandby {
  readonly url: string;
  readonly pid: number;
  /** It takes writes from then on, and follows nobody. */
  promote(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a standby that streams from the primary, whose commits wait for it from then on: what one of them answers is on both. */
export async function startSynchronousStandby(primary: PostgresProcess): Promise<PostgresStandby> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-chaos-standby-'));
  // Postgres may run as somebody else, who has to get through.
  await chmod(folder, 0o711);
  const cluster = join(folder, 'postgres');
  const source = await copyCluster(primary.url, cluster);
  const account = await serverAccount([source]);
  const binaries = await findServerBinaries(dirname(source), account, () => {});
  const port = await freePort();
  const url = new URL(primary.url);
  const { hostname, port: primaryPort, username, password } = url;
  url.port = String(port);
  const log = await open(join(folder, 'postgres.log'), 'a');
  const settings = {
    primary_conninfo: `host=${hostname} port=${primaryPort} user=${username} password=${password} application_name=standby`,
  };
  const child = spawn(binaries.postgres, ['-D', cluster, ...settingArguments(port, settings)], {
    ...spawnAs(account),
    stdio: ['ignore', log.fd, log.fd],
  });
  const exited = once(child, 'close').catch(() => {});
  const close = async () => {
    child.kill('SIGINT');
    await exited;
    await log.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await Promise.race([untilAnswers(url.href), exited.then(() => Promise.reject(new Error('it ended')))]);
    await query(primary.url, `ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
    await query(primary.url, 'SELECT pg_reload_conf()');
    await eventually(
      () => query(primary.url, `SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'`),
      (rows) => rows.length === 1,
      PATIENCE_MS,
    );
  } catch (cause) {
    const said = await readFile(join(folder, 'postgres.log'), 'utf8');
    await close();
    throw new Error(`no standby: ${said.slice(-2_000)}`, { cause });
  }
  return {
    url: url.href,
    pid: child.pid!,
    promote: async () => void (await query(url.href, 'SELECT pg_promote()')),
    close,
  };
}

/** Copies the files of a server that goes on meanwhile (PostgreSQL, 25.3.2). @returns where they are */
async function copyCluster(url: string, cluster: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query('SHOW data_directory');
    const source: string = rows[0].data_directory;
    await client.query(`SELECT pg_backup_start('standby', true)`);
    // A file that goes away meanwhile is none that matters, and no other failure goes unseen: the standby would not start.
    await promisify(execFile)('cp', ['-a', source, cluster]).catch(() => {});
    const { rows: labels } = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
    await rm(join(cluster, 'postmaster.pid'), { force: true });
    const { uid, gid } = await stat(cluster);
    for (const [name, text] of [
      ['backup_label', labels[0].labelfile],
      ['standby.signal', ''],
    ]) {
      await writeFile(join(cluster, name), text);
      await chown(join(cluster, name), uid, gid);
    }
    return source;
  } finally {
    await client.end();
  }
}

async function untilAnswers(url: string): Promise<void> {
  const ask = () =>
    query(url, 'SELECT 1').then(
      () => true,
      () => false,
    );
  await eventually(ask, (isUp) => isUp, PATIENCE_MS);
}

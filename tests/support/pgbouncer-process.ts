import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { serverAccount } from '../../src/embedded/server-account.ts';
import { freePort } from './free-port.ts';

/** Debian's `pgbouncer` (1.18), or a later one. */
const PROGRAM = '/usr/sbin/pgbouncer';

/** Skips a test, saying why, on a machine without PgBouncer; in CI it fails there instead. */
export function requirePgbouncer(context: TestContext): void {
  if (spawnSync(PROGRAM, ['--version']).status === 0) return;
  if (process.env.CI) throw new Error('pgbouncer is not installed, and CI must run the tests that need it');
  context.skip('pgbouncer is not installed');
}

/**
 * @param settings lines of `pgbouncer.ini` beside those of the address, such as `pool_mode = transaction`
 * @returns the URL of the database through it, and what ends it
 */
export async function startPgbouncer(
  databaseUrl: string,
  settings: readonly string[],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-pgbouncer-'));
  const port = await freePort();
  const account = await serverAccount([]);
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, iniOf(databaseUrl, port, settings));
  if (account !== null) for (const path of [folder, file]) await chown(path, account.uid, account.gid);
  const child = spawn(PROGRAM, [file], { stdio: ['ignore', 'ignore', 'pipe'], ...account });
  const exited = once(child, 'exit');
  const up = Promise.withResolvers<void>();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes('process up')) up.resolve();
  });
  void exited.then(() => up.reject(new Error(`pgbouncer ended at its start: ${said}`)));
  await up.promise;
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    close: async () => {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function iniOf(databaseUrl: string, port: number, settings: readonly string[]): string {
  const { hostname, port: of, pathname, username, password } = new URL(databaseUrl);
  const name = pathname.slice(1);
  const target = [`host=${hostname}`, `port=${of || 5432}`, `dbname=${name}`, `user=${username}`];
  if (password !== '') target.push(`password=${decodeURIComponent(password)}`);
  return [
    '[databases]',
    `${name} = ${target.join(' ')}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    ...settings,
    '',
  ].join('\n');
}

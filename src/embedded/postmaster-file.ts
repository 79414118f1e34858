import { readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { processIdentity } from './process-identity.ts';
import { runProgram } from './run-program.ts';

/** What `postmaster.pid` says, as far as it is written yet. Its lines: pid, data folder, start, port, …, the eighth the status (Postgres, src/include/utils/pidfile.h). */
export interface PostmasterFile {
  readonly pid: number;
  readonly ready: boolean;
}

/** Null when there is no such file, or one that is still being written. */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | null> {
  const text = await readFile(pathOf(cluster), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, ready: lines[7]?.trim() === 'ready' } : null;
}

/** Whether the process `pid` is a Postgres server of this cluster, and not one that was given the number since. */
export async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  if ((await processIdentity(pid)) === null) return false;
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    // A server's working directory is its data folder.
    return (
      command.trim() === 'postgres' &&
      (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === (await realpath(cluster))
    );
  }
  const { output } = await runProgram('ps', ['-o', 'command=', '-p', String(pid)]);
  return output.includes('postgres') && output.includes(cluster);
}

function pathOf(cluster: string): string {
  return join(cluster, 'postmaster.pid');
}

import { readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { processIdentity } from './process-identity.ts';
import { runProgram } from './run-program.ts';

/**
 * What `postmaster.pid` says, as far as it is written yet. Its lines are the pid, the data folder, the start time, the port and so on; the
 * eighth is the status (Postgres, src/include/utils/pidfile.h).
 */
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

/** `other`: a process that was given the number since. `unknown`: we may not look. */
export type Whose = 'ours' | 'other' | 'unknown';

/** Whether the process `pid` is a Postgres server of this cluster. */
export async function whosePostmaster(pid: number, cluster: string): Promise<Whose> {
  if ((await processIdentity(pid)) === null) return 'other';
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null);
    if (command === null) return 'unknown';
    if (command.trim() !== 'postgres') return 'other';
    // A server's working directory is its data folder.
    const folder = await workingDirectory(pid, cluster);
    if (folder === null) return 'unknown';
    return folder === (await realpath(cluster)) ? 'ours' : 'other';
  }
  const { output } = await runProgram('ps', ['-o', 'command=', '-p', String(pid)]);
  return whoseCommand(output, cluster);
}

/** By what `ps` prints, in which letters of other alphabets may be written in another way. */
export function whoseCommand(command: string, cluster: string): Whose {
  if (!command.includes('postgres')) return 'other';
  if (command.includes(cluster)) return 'ours';
  return /^[\x20-\x7e]*$/.test(cluster) ? 'other' : 'unknown';
}

/** Null when we may not know it. Root in a container need not be allowed to look at another account's processes; the cluster's account may look at its own. */
async function workingDirectory(pid: number, cluster: string): Promise<string | null> {
  const path = `/proc/${pid}/cwd`;
  const seen = await readlink(path).catch(() => null);
  if (seen !== null || process.getuid?.() !== 0) return seen;
  const { uid, gid } = await stat(cluster);
  const { code, output } = await runProgram('readlink', [path], { account: { uid, gid } });
  return code === 0 ? output.trim() : null;
}

function pathOf(cluster: string): string {
  return join(cluster, 'postmaster.pid');
}

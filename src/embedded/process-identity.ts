import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { runProgram } from './run-program.ts';

/**
 * A text that tells the process `pid` from any other that had or will have the same number: when it started. Null when no such
 * process runs; a zombie does not run.
 */
export async function processIdentity(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (stat === null) return null;
    // The second field is the command in parentheses and may hold spaces: fields count from the last parenthesis (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  }
  if (process.platform === 'win32') return isAlive(pid) ? 'running' : null;
  const { code, output } = await runProgram('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
  const [state = 'Z', ...started] = output.trim().split(/\s+/);
  return code !== 0 || state.startsWith('Z') ? null : started.join(' ');
}

/** Names the set of processes whose numbers we can look up: this boot of this machine, and within it this container. */
export async function processScope(): Promise<string> {
  if (process.platform !== 'linux') return hostname();
  const [boot, namespace] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname()),
    readlink('/proc/self/ns/pid').catch(() => hostname()),
  ]);
  return `${boot.trim()} ${namespace}`;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { linkTarget, namesIn, readText } from './read-if-there.mjs';

/** A process that we cannot look up, and that has not touched its file for so long, has died. */
export const SILENT_MS = 60_000;

export function runningPrograms() {
  if (process.platform === 'linux') {
    const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => ({
      pid: Number(pid),
      parent: Number(statOf(pid)[1]),
      file: linkTarget(`/proc/${pid}/exe`) ?? fileByCommandLine(pid),
    }));
  }
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,ppid=,comm='], { encoding: 'utf8' });
  const lines = [...(stdout ?? '').matchAll(/^\s*(\d+)\s+(\d+) (.+?)\s*$/gm)];
  return lines.map(([, pid, parent, file]) => ({ pid: Number(pid), parent: Number(parent), file }));
}

/** The arguments that a process was started with, the program first; none where there is no such process. */
export function commandLine(pid) {
  return readText(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
}

/** Another account's process may hide its program, also from a root without CAP_SYS_PTRACE, as in a container. A file that is gone is not one that it has still. */
function fileByCommandLine(pid) {
  const [file = ''] = commandLine(pid);
  return existsSync(file) ? file : '';
}

/** Whether the process runs that started then; where the system does not say when, one of that number. */
export function isRunning(pid, started) {
  return process.platform !== 'win32' && started ? startOf(pid) === started : isAlive(Number(pid));
}

/** Names the set of processes that we can look up: this boot of this machine, and within it this container. */
export function processScope() {
  if (process.platform !== 'linux') return hostname();
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When the process started (src/embedded/process-identity.ts); empty where it does not run, or the system does not say. */
export function startOf(pid) {
  if (process.platform === 'win32') return '';
  const [state = 'Z', ...started] = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return /^[ZX]/.test(state) ? '' : started.join(' ');
}

function startOnLinux(pid) {
  const fields = statOf(pid);
  return fields.length > 0 ? [fields[0], fields[19]] : [];
}

/** In words and a time zone that do not depend on whose terminal it is. */
function startByPs(pid) {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', env });
  return status === 0 ? stdout.trim().split(/\s+/) : [];
}

/** The fields of proc(5) from the third, the state, on; none where there is no such process. They count from the last parenthesis: the second may hold spaces. */
function statOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

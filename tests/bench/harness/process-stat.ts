/** What `/proc/<pid>/stat` says of one process (proc_pid_stat(5)). CPU times are in milliseconds. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** Of the process itself, all threads. */
  readonly cpuMs: number;
  /** Of its children that have ended and were waited for, with theirs. */
  readonly endedChildrenMs: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** @throws Error when the text is not a line of `/proc/<pid>/stat`. */
export function parseProcessStat(text: string): ProcessStat {
  // The name is in parentheses and may itself hold spaces and parentheses: the last one closes it.
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(nameEnd + 2).split(' ');
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((at) => Number(fields[at]));
  if (nameEnd < 0 || !Number.isInteger(pid) || !Number.isInteger(endedSystem))
    throw new Error(`not a line of /proc/<pid>/stat: ${text.slice(0, 80)}`);
  return {
    pid,
    parent: parent!,
    cpuMs: (user! + system!) * TICK_MS,
    endedChildrenMs: (endedUser! + endedSystem!) * TICK_MS,
  };
}

/**
 * CPU time of a process and all that it ever started: its own, that of its children that have ended, and the same of those that live.
 * Only ever grows, so the difference of two readings is what they used between.
 */
export function treeCpuMs(root: number, all: readonly ProcessStat[]): number {
  const childrenOf = Map.groupBy(all, ({ parent }) => parent);
  const add = (stat: ProcessStat): number =>
    (childrenOf.get(stat.pid) ?? []).reduce((sum, child) => sum + add(child), stat.cpuMs + stat.endedChildrenMs);
  const found = all.find(({ pid }) => pid === root);
  if (found === undefined) throw new Error(`process ${root} has ended`);
  return add(found);
}

/** The peak of the resident set (`VmHWM`) in MB, from `/proc/<pid>/status`; null where it is not given. */
export function parsePeakMb(status: string): number | null {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) / 1024;
}

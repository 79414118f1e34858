import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What a scenario should have ended or removed and did not. It is told and cleared away before the next one begins, which would be measured
 * beside it otherwise.
 */
export class Leftovers {
  readonly #folder: string;
  readonly #children: ReadonlySet<number>;
  readonly #listeners: number;

  /** From here on temporary files of this process and its children are in a folder of their own. */
  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'posthorn-plays-'));
    // Postgres may run as another user.
    chmodSync(this.#folder, 0o755);
    process.env.TMPDIR = this.#folder;
    this.#children = new Set(childrenOf(process.pid));
    this.#listeners = listeners();
  }

  /** Ends processes and removes files that are still there. @returns one line each. @param kept folders that stay */
  clear(isKept: boolean): string[] {
    const children = childrenOf(process.pid).filter((pid) => !this.#children.has(pid));
    for (const pid of children) end(pid);
    const files = isKept ? [] : readdirSync(this.#folder);
    for (const file of files) rmSync(join(this.#folder, file), { recursive: true, force: true });
    const open = listeners() - this.#listeners;
    return [
      ...children.map((pid) => `process ${pid}, ended now`),
      ...files.map((file) => `${file}, removed now`),
      ...(open > 0 ? [`${open} ports that this process listens on`] : []),
    ];
  }

  close(isKept: boolean): void {
    if (!isKept) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function listeners(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPServerWrap').length;
}

/** Where the system has no /proc, none is found. */
function childrenOf(parent: number): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && parentOf(pid) === parent);
  } catch {
    return [];
  }
}

/** The name, in parentheses, may hold anything; after it come the state and the parent. Those that have ended count for none. */
function parentOf(pid: number): number {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return state === 'Z' ? 0 : Number(parent);
  } catch {
    return 0;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

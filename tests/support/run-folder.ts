import { accessSync, chmodSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isAlive } from '../../src/embedded/process-identity.ts';

const PREFIX = 'posthorn-tests-';
/** Where Linux keeps files in memory. */
const IN_MEMORY = '/dev/shm';
/** What all tests at once may leave there for a moment, several times over. */
const ROOM = 6 * 1024 ** 3;

/**
 * From here on temporary files of this process and its children are in a folder of their own, which goes with this process: in memory
 * where there is room. Each database of the tests is some 650 files, and ext4 looks at every file that was removed in the last half
 * minute before it makes a new one: that was a third of the CPU time of the tests that ask Postgres.
 */
export function useRunFolder(): void {
  if (basename(tmpdir()).startsWith(PREFIX)) return;
  for (const parent of new Set([IN_MEMORY, tmpdir()])) removeLeftovers(parent);
  const parent = hasRoom() ? IN_MEMORY : tmpdir();
  const folder = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
  // Postgres may run as another user.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  // A terminal that is closed: by default a process ends of it without a word.
  process.once('SIGHUP', () => process.exit(129));
}

function hasRoom(): boolean {
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return Math.min(bavail * bsize, process.availableMemory()) > ROOM;
  } catch {
    return false;
  }
}

/** Of runs that were killed: what is in memory would stay there until the machine is started anew. Those of other users stay. */
function removeLeftovers(parent: string): void {
  try {
    for (const name of readdirSync(parent)) {
      const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
      if (pid > 0 && !isAlive(pid)) rmSync(join(parent, name), { recursive: true, force: true });
    }
  } catch {
    // No such folder, or not ours: no reason to run no tests.
  }
}

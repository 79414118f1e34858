import { open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { makeFolder } from './make-folder.ts';
import { processIdentity, processScope } from './process-identity.ts';

/** The process that has the lock, or had it. */
const Owner = z.object({ pid: z.number().int(), identity: z.string(), scope: z.string(), released: z.boolean() });
export type Owner = z.infer<typeof Owner>;

export type LockResult =
  | { readonly held: true; release(): Promise<void> }
  | { readonly held: false; readonly owner: Owner };

const HEARTBEAT_MS = 1_000;

/**
 * Takes the lock that the folder `dir` stands for, unless a live process has it. A dead process has nothing: it is known by its
 * number and start time where we can see it, else (another container that shares the volume, another boot) by a file that nobody
 * has touched for `watchMs`.
 *
 * The folder holds one file per owner, numbered upwards; the highest is the owner. Creating the next number is atomic, and the
 * highest is never deleted, so that of many who find a dead owner exactly one follows it.
 */
export async function takeOwnerLock(dir: string, watchMs = 6 * HEARTBEAT_MS): Promise<LockResult> {
  await makeFolder(resolve(dir), 0o777);
  const self: Owner = {
    pid: process.pid,
    identity: (await processIdentity(process.pid)) ?? '',
    scope: await processScope(),
    released: false,
  };
  for (;;) {
    const highest = Math.max(0, ...(await generations(dir)));
    const owner = highest === 0 ? null : await readOwner(pathOf(dir, highest));
    if (owner && (await isLive(owner, self.scope, pathOf(dir, highest), watchMs))) return { held: false, owner };
    const mine = highest + 1;
    if (!(await create(pathOf(dir, mine), self))) continue;
    const now = await generations(dir);
    // Someone went past us between our look and our file: theirs is the lock.
    if (Math.max(...now) !== mine) {
      await rm(pathOf(dir, mine), { force: true });
      continue;
    }
    await Promise.all(now.filter((each) => each < mine).map((each) => rm(pathOf(dir, each), { force: true })));
    return hold(pathOf(dir, mine), self);
  }
}

function hold(path: string, self: Owner): LockResult {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    held: true,
    async release() {
      clearInterval(beat);
      const released = JSON.stringify({ ...self, released: true });
      // `r+` creates nothing: with the folder gone there is nothing left to release. The padding covers the text that was there.
      await writeFile(path, released.padEnd(JSON.stringify(self).length), { flag: 'r+' }).catch(() => undefined);
    },
  };
}

async function isLive(owner: Owner, scope: string, path: string, watchMs: number): Promise<boolean> {
  if (owner.released) return false;
  if (owner.scope === scope) return (await processIdentity(owner.pid)) === owner.identity;
  const touched = async () => (await stat(path).catch(() => null))?.mtimeMs;
  const first = await touched();
  for (let waited = 0; waited < watchMs; waited += 100) {
    await delay(100);
    if ((await touched()) !== first) return true;
  }
  return false;
}

/** Null when the file stays unreadable: its writer died between creating and writing it, or it was deleted as outdated. */
async function readOwner(path: string): Promise<Owner | null> {
  for (let tries = 0; tries < 10; tries++) {
    const owner = Owner.safeParse(
      await readFile(path, 'utf8')
        .then(JSON.parse)
        .catch(() => null),
    );
    if (owner.success) return owner.data;
    await delay(50);
  }
  return null;
}

async function create(path: string, self: Owner): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o644);
    await file.writeFile(JSON.stringify(self)).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function generations(dir: string): Promise<number[]> {
  return (await readdir(dir)).map(Number).filter((each) => Number.isSafeInteger(each) && each > 0);
}

function pathOf(dir: string, generation: number): string {
  return join(dir, String(generation));
}

import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { makeFolder } from './make-folder.ts';
import { processIdentity, processScope } from './process-identity.ts';

/** The process that has the lock, or had it. */
const Owner = z.object({
  pid: z.number().int(),
  identity: z.string(),
  scope: z.string(),
  /** The name of its host, which for a container is its own: one that was started again has it, with other process numbers. */
  host: z.string().default(''),
  /** The lock's folder as it took it, `device:inode`: a copy or a snapshot has another. */
  folder: z.string().default(''),
  released: z.boolean(),
});
export type Owner = z.infer<typeof Owner>;

export type LockResult =
  | {
      readonly held: true;
      /** Aborted when another process has followed us, because we were silent for so long that it took us for dead. What the lock protects is its by now. */
      readonly lost: AbortSignal;
      release(): Promise<void>;
    }
  | {
      readonly held: false;
      readonly owner: Owner;
      /** Whether the lock is a copy of the owner's, which is not touched with it. */
      readonly isCopy: boolean;
    };

export interface LockOptions {
  /** How long an owner that we cannot look up has to be silent. */
  readonly watchMs?: number;
  /** Ends the watching: the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told before such an owner is watched. */
  readonly onWatch?: () => void;
}

const HEARTBEAT_MS = 1_000;
/** Longer than a machine or a container stands still that goes on afterwards, as far as that can be known. */
const WATCH_MS = 60 * HEARTBEAT_MS;

/**
 * Takes the lock that the folder `dir` stands for, unless a live process has it. A dead process has nothing: it is known by its
 * number and start time where we can see it, else (another container that shares the volume, another boot) by a file that nobody
 * has touched for `watchMs`, or for a tenth of that where its host had our host's name.
 *
 * The folder holds one file per owner, numbered upwards; the highest is the owner. Creating the next number is atomic, and the highest is
 * never deleted, so that of many who find a dead owner exactly one follows it. An owner that was not dead but paused finds out at its next
 * heartbeat that another has followed it (`lost`).
 */
export async function takeOwnerLock(dir: string, options: LockOptions = {}): Promise<LockResult> {
  await makeFolder(resolve(dir), 0o777);
  const self: Owner = {
    pid: process.pid,
    identity: (await processIdentity(process.pid)) ?? '',
    scope: await processScope(),
    host: hostname(),
    folder: await folderIdentity(dir),
    released: false,
  };
  for (;;) {
    const highest = Math.max(0, ...(await generations(dir)));
    const owner = highest === 0 ? null : await readOwner(pathOf(dir, highest));
    if (owner && (await isLive(owner, self, pathOf(dir, highest), options))) {
      return { held: false, owner, isCopy: await isCopy(owner, self, pathOf(dir, highest), options) };
    }
    const mine = highest + 1;
    const file = await create(pathOf(dir, mine), self);
    if (file === null) continue;
    const now = await generations(dir);
    // Someone went past us between our look and our file: theirs is the lock.
    if (Math.max(...now) !== mine) {
      await file.close();
      await rm(pathOf(dir, mine), { force: true });
      continue;
    }
    await Promise.all(now.filter((each) => each < mine).map((each) => rm(pathOf(dir, each), { force: true })));
    return hold(dir, mine, file, self);
  }
}

/** By the open file: what stands under its name may be another's by now. */
function hold(dir: string, mine: number, file: FileHandle, self: Owner): LockResult {
  const lost = new AbortController();
  const beat = setInterval(async () => {
    const now = new Date();
    // A folder that cannot be read now says nothing of who has the lock.
    const highest = Math.max(0, ...(await generations(dir).catch(() => [])));
    if (highest > mine) lost.abort();
    else await file.utimes(now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    held: true,
    lost: lost.signal,
    async release() {
      clearInterval(beat);
      const released = JSON.stringify({ ...self, released: true });
      // The padding covers the text that was there.
      await file.write(released.padEnd(JSON.stringify(self).length), 0).catch(() => undefined);
      await file.close().catch(() => undefined);
    },
  };
}

async function isLive(owner: Owner, self: Owner, path: string, options: LockOptions): Promise<boolean> {
  if (owner.released) return false;
  if (owner.scope === self.scope) return (await processIdentity(owner.pid)) === owner.identity;
  options.onWatch?.();
  const { watchMs = WATCH_MS } = options;
  // The same container, or machine, started again: what ran in it ended with it, as far as names tell.
  const leastMs = watchMs / 10;
  return beats(path, owner.host === self.host ? leastMs : watchMs, leastMs, options.signal);
}

/** Of a live owner. Some file systems give a folder another number from one look to the next: a lock that is touched is the owner's. */
async function isCopy(owner: Owner, self: Owner, path: string, options: LockOptions): Promise<boolean> {
  if (owner.folder === '' || owner.folder === self.folder) return false;
  const leastMs = (options.watchMs ?? WATCH_MS) / 10;
  return !(await beats(path, leastMs, leastMs, options.signal));
}

async function folderIdentity(dir: string): Promise<string> {
  const { dev, ino } = await stat(dir, { bigint: true });
  return `${dev}:${ino}`;
}

/**
 * Whether an owner touches its file before it has been silent for `watchMs`. Its silence before we looked counts too; but as the clocks of
 * hosts may differ, the file is watched for `leastMs` in any case.
 */
async function beats(
  path: string,
  watchMs: number,
  leastMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const touched = async () => (await stat(path).catch(() => null))?.mtimeMs;
  const first = await touched();
  const silentMs = Math.max(0, Date.now() - (first ?? 0));
  const until = performance.now() + Math.max(leastMs, watchMs - silentMs);
  while (performance.now() < until) {
    await delay(Math.min(100, leastMs), undefined, { signal }).catch(() => signal?.throwIfAborted());
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

/** Null where there is one by that name. */
async function create(path: string, self: Owner): Promise<FileHandle | null> {
  const file = await open(path, 'wx', 0o644).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  await file?.write(JSON.stringify(self), 0).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  return file;
}

async function generations(dir: string): Promise<number[]> {
  return (await readdir(dir)).map(Number).filter((each) => Number.isSafeInteger(each) && each > 0);
}

function pathOf(dir: string, generation: number): string {
  return join(dir, String(generation));
}

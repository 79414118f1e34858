import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Owner, takeOwnerLock } from './owner-lock.ts';
import { processIdentity, processScope } from './process-identity.ts';

let dir: string;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'posthorn-lock-')), 'lock');
});

afterEach(async () => {
  await rm(join(dir, '..'), { recursive: true, force: true });
});

test('a live owner keeps the lock, and who asks learns which process it is', async () => {
  const first = await takeOwnerLock(dir);
  expect(first.held).toBe(true);
  expect(await takeOwnerLock(dir)).toMatchObject({ held: false, owner: { pid: process.pid } });
});

test('a released lock can be taken again, over and over, and leaves one file', async () => {
  for (let round = 0; round < 5; round++) {
    const lock = await takeOwnerLock(dir);
    if (!lock.held) throw new Error('not taken');
    await lock.release();
  }
  expect(await readdir(dir)).toEqual(['5']);
});

test('an owner whose process has died does not hold the lock', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  await plant({ pid, identity: (await processIdentity(pid)) ?? '' });
  expect((await takeOwnerLock(dir)).held).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect((await takeOwnerLock(dir)).held).toBe(true);
});

test('a process that was given the number of a dead owner does not hold its lock', async () => {
  await plant({ pid: process.pid, identity: 'started at another time' });
  expect((await takeOwnerLock(dir)).held).toBe(true);
});

test('of many who find a dead owner, exactly one follows it', async () => {
  for (let round = 0; round < 20; round++) {
    await rm(dir, { recursive: true, force: true });
    await plant({ pid: process.pid, identity: 'dead' });
    const results = await Promise.all(Array.from({ length: 8 }, () => takeOwnerLock(dir)));
    expect(results.filter((result) => result.held)).toHaveLength(1);
  }
});

test('an owner in another container holds the lock for as long as it keeps touching it', async () => {
  await plant({ pid: process.pid, identity: 'unknown here', scope: 'elsewhere' });
  const beat = setInterval(() => void utimes(join(dir, '1'), new Date(), new Date()), 50);
  expect((await takeOwnerLock(dir, { watchMs: 5_000 })).held).toBe(false);
  clearInterval(beat);
  expect((await takeOwnerLock(dir, { watchMs: 300 })).held).toBe(true);
});

test('an owner in another container that has been silent for long when one comes is watched for a tenth of that', async () => {
  await plant({ pid: process.pid, identity: 'unknown here', scope: 'elsewhere' });
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(dir, '1'), longAgo, longAgo);
  const begun = performance.now();
  // The other nine tenths are more than a test may take.
  expect(
    await takeOwnerLock(dir, { watchMs: 4_000_000, signal: AbortSignal.timeout(100) }).catch(() => 'watched'),
  ).toBe('watched');
  expect((await takeOwnerLock(dir, { watchMs: 3_000 })).held).toBe(true);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(300);
});

test('one of a container by our name, which was started again, is watched for a tenth of that only', async () => {
  await plant({ pid: process.pid, identity: 'unknown here', scope: 'elsewhere', host: hostname() });
  const abort = AbortSignal.timeout(15_000);
  expect((await takeOwnerLock(dir, { watchMs: 30_000, signal: abort })).held).toBe(true);
});

test('who watches an owner in another container is told, and may end it', async () => {
  await plant({ pid: process.pid, identity: 'unknown here', scope: 'elsewhere' });
  const abort = new AbortController();
  const reason = new Error('not today');
  const taking = takeOwnerLock(dir, { signal: abort.signal, onWatch: () => abort.abort(reason) });
  await expect(taking).rejects.toBe(reason);
  expect(await readdir(dir)).toEqual(['1']);
});

test('an owner that another process followed, because it had been silent, learns that with its next beat', async () => {
  const lock = await takeOwnerLock(dir);
  if (!lock.held) throw new Error('not taken');
  expect(lock.lost.aborted).toBe(false);
  await plant({ pid: 1, scope: 'elsewhere' }, '2');
  await once(lock.lost, 'abort');
  const followed = await readFile(join(dir, '2'), 'utf8');
  await lock.release();
  expect(await readFile(join(dir, '2'), 'utf8')).toBe(followed);
});

test('a copy of the lock of a live owner is not free either, and is told to be a copy', async () => {
  const lock = await takeOwnerLock(dir);
  if (!lock.held) throw new Error('not taken');
  const copy = `${dir}-copy`;
  await cp(dir, copy, { recursive: true });
  const owner = expect.objectContaining({ pid: process.pid });
  expect(await takeOwnerLock(copy, { watchMs: 1_000 })).toEqual({ held: false, owner, isCopy: true });
  expect(await takeOwnerLock(dir, { watchMs: 1_000 })).toEqual({ held: false, owner, isCopy: false });
  await lock.release();
  await cp(dir, copy, { recursive: true });
  expect((await takeOwnerLock(copy)).held).toBe(true);
});

test.each([
  ['that does not say where it took it, as formerly', {}, false],
  ['whose folder has another number now, as some file systems give it, and that touches it', { folder: '1:1' }, true],
])('the lock of a live owner %s is not told to be a copy', async (_, owner, isTouched) => {
  await plant({ pid: process.pid, identity: (await processIdentity(process.pid))!, ...owner });
  const touch = () => void utimes(join(dir, '1'), new Date(), new Date());
  const beat = isTouched ? setInterval(touch, 50) : undefined;
  try {
    expect(await takeOwnerLock(dir)).toMatchObject({ held: false, isCopy: false });
  } finally {
    clearInterval(beat);
  }
});

test('a lock file whose writer died before it had written is nobody’s', async () => {
  await plant({});
  await writeFile(join(dir, '1'), '');
  expect((await takeOwnerLock(dir)).held).toBe(true);
});

async function plant(owner: Partial<Owner>, name = '1'): Promise<void> {
  await mkdir(dir, { recursive: true });
  const whole = { pid: 1, identity: '', scope: await processScope(), host: 'another', released: false, ...owner };
  await writeFile(join(dir, name), JSON.stringify(whole));
}

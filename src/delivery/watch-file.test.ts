import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { watchFile } from './watch-file.ts';

test('a change of a file that keeps its size and its time of change is seen', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-watch-'));
  try {
    const path = join(folder, 'file');
    let now = 0;
    let taken = 0;
    const look = watchFile(
      path,
      () => void taken++,
      () => now,
    );
    await writeFile(path, 'a');
    const { ctimeMs } = await stat(path);
    const at = new Date(2_000);
    await utimes(path, at, at);
    await look();
    expect(taken).toBe(1);
    // The clock of the file system is coarse.
    do {
      await writeFile(path, 'b');
      await utimes(path, at, at);
    } while ((await stat(path)).ctimeMs - ctimeMs < 50);
    now += 5_000;
    await look();
    now += 5_000;
    await look();
    expect(taken).toBe(2);
  } finally {
    await rm(folder, { recursive: true });
  }
});

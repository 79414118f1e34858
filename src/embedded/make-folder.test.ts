import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder } from './make-folder.ts';

let top: string;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'posthorn-folder-'));
});

afterAll(() => rmSync(top, { recursive: true }));

test('a folder is made with those above it, through which others may pass, by several at once, and is left alone when it is there', async () => {
  const path = join(top, 'a', 'b', 'c');
  await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700), makeFolder(join(top, 'a', 'd'), 0o700)]);
  for (const made of [path, join(top, 'a', 'd')]) expect(statSync(made).mode & 0o777).toBe(0o700);
  for (const above of [join(top, 'a'), join(top, 'a', 'b')]) expect(statSync(above).mode & 0o111).toBe(0o111);
  await makeFolder(path, 0o755);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('what can be no folder is an error, and no endless loop', async () => {
  const file = join(top, 'file');
  const dangling = join(top, 'dangling');
  writeFileSync(file, '');
  symlinkSync(join(top, 'nowhere'), dangling);
  await expect(makeFolder(file, 0o700)).rejects.toThrow('EEXIST');
  await expect(makeFolder(join(file, 'x'), 0o700)).rejects.toThrow(`EEXIST: file already exists, mkdir '${file}'`);
  await expect(makeFolder(dangling, 0o700)).rejects.toThrow('EEXIST');
  await expect(makeFolder(join(top, 'x'.repeat(300)), 0o700)).rejects.toThrow('ENAMETOOLONG');
  if (process.platform === 'linux') await expect(makeFolder('/proc/none/x', 0o700)).rejects.toThrow('ENOENT');
});

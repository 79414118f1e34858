import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openServerLog } from './server-log.ts';

let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'posthorn-log-')), 'postgres.log');
});

afterEach(async () => {
  await rm(join(path, '..'), { recursive: true, force: true });
});

test('the tail is what was written since the log was opened, not what a former run said', async () => {
  await writeFile(path, 'FATAL: of yesterday\n');
  const log = await openServerLog(path);
  expect(await log.tail()).toBe('');
  await appendFile(path, 'FATAL: of today\n');
  expect(await log.tail()).toBe('FATAL: of today');
  await log.close();
});

test('a long tail is cut at its front', async () => {
  const log = await openServerLog(path);
  await appendFile(path, `${'x'.repeat(100_000)}the end\n`);
  const tail = await log.tail();
  expect(tail.length).toBeLessThan(10_000);
  expect(tail).toMatch(/the end$/);
  await log.close();
});

test('a log that has grown large makes room, and one former log is kept', async () => {
  await writeFile(path, 'x'.repeat(17 * 1024 * 1024));
  const log = await openServerLog(path);
  expect((await readFile(path)).length).toBe(0);
  expect((await readFile(`${path}.1`)).length).toBe(17 * 1024 * 1024);
  await log.close();
});

import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLocalKeys } from './local-keys.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'posthorn-keys-'));
});
afterEach(() => rm(dir, { recursive: true }));

test('keys are made once, stay the same at every start, and are for their owner alone', async () => {
  const made = await readLocalKeys(dir);
  expect(made.operatorKey).toMatch(/^pho_/);
  expect(Buffer.from(made.masterKey, 'base64')).toHaveLength(32);
  expect(await readLocalKeys(dir)).toEqual(made);
  expect((await readdir(dir)).sort()).toEqual(['master-key', 'operator-key']);
  for (const file of await readdir(dir)) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
});

test('of several that start at once all have the same keys', async () => {
  const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => readLocalKeys(dir)));
  for (const other of others) expect(other).toEqual(first);
});

test.each([
  ['master-key', ''],
  ['master-key', 'c2hvcnQ=\n'],
  ['operator-key', ''],
  ['operator-key', 'pho_short'],
])('a %s that holds no key (%j) is told, and left as it is', async (file, text) => {
  await readLocalKeys(dir);
  await writeFile(join(dir, file), text);
  await expect(readLocalKeys(dir)).rejects.toThrow(`${join(dir, file)} holds no key`);
  expect(await readFile(join(dir, file), 'utf8')).toBe(text);
});

test('a key that cannot be read is told with the folder to look at', async () => {
  await mkdir(join(dir, 'master-key'));
  const error = await readLocalKeys(dir).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'EmbeddedPostgresError', message: expect.stringMatching(`${dir}.*\nEISDIR`) });
});

test.runIf(process.platform === 'linux')(
  'a data folder that nothing can be written to is told with what to do',
  async () => {
    await expect(readLocalKeys('/proc/self')).rejects.toThrow('Set DATA_DIR to another folder');
  },
);

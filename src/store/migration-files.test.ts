import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { listMigrations } from './migration-files.ts';

test('scripts are read with one kind of line ends, whatever git made of them, in the order of their names', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, script] of [
    ['2_second', 'SELECT 2;\r\nSELECT 3;\r\n'],
    ['1_first', 'SELECT 1;\n'],
  ] as const) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'migration.sql'), script);
  }
  expect(await listMigrations(folder)).toEqual([
    { name: '1_first', script: 'SELECT 1;\n' },
    { name: '2_second', script: 'SELECT 2;\nSELECT 3;\n' },
  ]);
});

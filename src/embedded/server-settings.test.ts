import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { roomAt, settingsFile } from './server-settings.ts';

const GIB = 1024 ** 3;

function sizesIn(memory: number, disk: number): (string | undefined)[] {
  const file = settingsFile({ memory: memory * GIB, disk: disk * GIB });
  return ['shared_buffers', 'max_wal_size'].map((name) => new RegExp(`^${name} = '(.+)'$`, 'm').exec(file)?.[1]);
}

test('Postgres keeps an eighth of the memory for its pages, and of the free disk for its log, within bounds', () => {
  expect(sizesIn(0.5, 1)).toEqual(['128MB', '1024MB']);
  expect(sizesIn(4, 16)).toEqual(['512MB', '2048MB']);
  expect(sizesIn(64, 500)).toEqual(['1024MB', '4096MB']);
});

test('what there is, is what this machine has', async () => {
  const { memory, disk } = await roomAt(tmpdir());
  expect(memory).toBeGreaterThan(GIB / 4);
  expect(memory).toBeLessThan(2 ** 50);
  expect(disk).toBeGreaterThan(0);
});

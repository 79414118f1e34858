import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { roomAt, settingArguments, settingsFile } from './server-settings.ts';

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

test('G1 the embedded Postgres commits to the disk before it answers, and keeps payloads out of its log', () => {
  const file = settingsFile({ memory: GIB, disk: GIB });
  expect(file).toContain("\nsynchronous_commit = 'on'\n");
  expect(file).toContain("\nlog_min_error_statement = 'panic'\n");
  for (const name of ['fsync', 'full_page_writes']) expect(file).not.toContain(`\n${name} =`);
});

test('it listens on loopback alone, whatever its files say, and a caller has the last word', () => {
  const given = settingArguments(5433, { fsync: 'off' });
  expect(given.filter((text) => text !== '-c')).toEqual([
    'listen_addresses=127.0.0.1',
    'port=5433',
    'unix_socket_directories=',
    'logging_collector=off',
    'fsync=off',
  ]);
});

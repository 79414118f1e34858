import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openHostsFile, parseHosts } from './hosts-file.ts';

test('names, aliases, comments and several addresses of a name are understood', () => {
  const names = parseHosts(
    '127.0.0.1\tlocalhost  Me # you\r\n::1 localhost\n#10.0.0.1 no\n999.1.1.1 bad\n10.0.0.2\n  10.0.0.3 db db.local\n',
  );
  expect(Object.fromEntries(names)).toEqual({
    localhost: ['127.0.0.1', '::1'],
    me: ['127.0.0.1'],
    db: ['10.0.0.3'],
    'db.local': ['10.0.0.3'],
  });
});

test('a file that changes is read again, and one that is gone knows nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-hosts-'));
  try {
    const path = join(folder, 'hosts');
    let now = 0;
    const hosts = openHostsFile(path, () => now);
    expect(await hosts.addressesOf('db')).toEqual([]);
    await writeFile(path, '10.0.0.1 db');
    expect(await hosts.addressesOf('db')).toEqual([]);
    now += 5_000;
    expect(await hosts.addressesOf('db')).toEqual(['10.0.0.1']);
    await writeFile(path, '10.0.0.1 db\n10.0.0.2 db');
    now += 5_000;
    expect(await Promise.all([hosts.addressesOf('db'), hosts.addressesOf('db')])).toEqual([
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.1', '10.0.0.2'],
    ]);
    await rm(path);
    now += 5_000;
    expect(await hosts.addressesOf('db')).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

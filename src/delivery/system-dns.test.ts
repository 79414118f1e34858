import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemDns } from './system-dns.ts';

const NAME_SERVERS = 'nameserver 192.0.2.1\n';

test('names are asked of the name servers that resolv.conf has now, and while it is missing or has none of those that it had', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-resolv-'));
  try {
    const path = join(folder, 'resolv.conf');
    let now = 0;
    let opened = 0;
    const open = () => {
      const address = `10.0.0.${++opened}`;
      return {
        query: (
          _name: string,
          _family: 4 | 6,
          callback: (error: null, records: { address: string; ttl: number }[]) => void,
        ) => callback(null, [{ address, ttl: 1 }]),
        close() {},
      };
    };
    const dns = systemDns({ path, open, now: () => now });
    const ask = () =>
      new Promise<string | undefined>((settle) =>
        dns.query('receiver.test', 4, (_error, records) => settle(records[0]?.address)),
      );
    await writeFile(path, NAME_SERVERS);
    expect([await ask(), await ask()]).toEqual(['10.0.0.1', '10.0.0.1']);
    now += 5_000;
    expect(await ask()).toBe('10.0.0.1');
    await writeFile(path, 'nameserver 198.51.100.22\n');
    now += 5_000;
    expect(await Promise.all([ask(), ask()])).toEqual(['10.0.0.2', '10.0.0.2']);
    await rm(path);
    now += 5_000;
    expect(await ask()).toBe('10.0.0.2');
    await writeFile(path, 'nameserver 203.0.113.3\n');
    now += 5_000;
    expect(await ask()).toBe('10.0.0.3');
    for (const text of ['', '# none yet\n#nameserver 192.0.2.1\nsearch nameserver\n', 'nameserver \n']) {
      await writeFile(path, text);
      now += 5_000;
      expect(await ask()).toBe('10.0.0.3');
    }
    await rm(path);
    // It is there, and cannot be read.
    await mkdir(path);
    now += 5_000;
    expect(await ask()).toBe('10.0.0.3');
    await rmdir(path);
    await writeFile(path, NAME_SERVERS);
    now += 5_000;
    expect(await ask()).toBe('10.0.0.4');
  } finally {
    await rm(folder, { recursive: true });
  }
});

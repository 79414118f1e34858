import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { watchFile } from './watch-file.ts';

const MAX_BYTES = 1024 * 1024;

export interface HostsFile {
  /** The addresses that the file gives a name (lower case), in the order of the file; none when it does not know it. */
  addressesOf(name: string): Promise<readonly string[]>;
}

/**
 * The hosts file, read by ourselves: c-ares does not, and `getaddrinfo`, which does, would hold one of four threads for as long
 * as any name server pleases. The file is read again when it has changed, which is looked at every 5 s at most. A file that
 * is missing or unreadable knows no names.
 */
export function openHostsFile(path: string, now?: () => number): HostsFile {
  let names: ReadonlyMap<string, readonly string[]> = new Map();
  const look = watchFile(
    path,
    async (size) => {
      names = size === null || size > MAX_BYTES ? new Map() : parseHosts(await readFile(path, 'utf8'));
    },
    now,
  );
  return {
    async addressesOf(name) {
      await look();
      return names.get(name) ?? [];
    },
  };
}

/** The names of a hosts file (hosts(5)), lower case, each with its addresses. Lines that do not start with an address are passed over. */
export function parseHosts(text: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const [address = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const alias of aliases) {
      const known = names.get(alias.toLowerCase());
      if (known === undefined) names.set(alias.toLowerCase(), [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return names;
}

import { readFile } from 'node:fs/promises';
import { caresBackend, type DnsBackend } from './resolver.ts';
import { watchFile } from './watch-file.ts';

export interface SystemDnsOptions {
  readonly path?: string;
  /** Makes one that asks the name servers that the file has now. */
  readonly open?: () => DnsBackend;
  /** Milliseconds on any steady clock. */
  readonly now?: () => number;
}

const NAME_SERVER = /^[ \t]*nameserver[ \t]+\S/m;

/**
 * The name servers of the system as resolv.conf has them now. c-ares reads that file once: without another look, each name would be asked of the servers
 * of a network that was left, or of a lease that has ended, for the life of the process. Names that are being asked for when it changes
 * stay with the servers that they were asked of.
 */
export function systemDns(options: SystemDnsOptions = {}): DnsBackend {
  const { path = '/etc/resolv.conf', open = () => caresBackend() } = options;
  let backend: DnsBackend | null = null;
  const look = watchFile(
    path,
    async (size) => {
      // Missing, empty or unreadable for a moment, as it is while it is being replaced: the servers stay until others are known. c-ares would ask 127.0.0.1.
      if (size !== null && NAME_SERVER.test(await readFile(path, 'utf8'))) backend = null;
    },
    options.now,
  );
  return {
    query(name, family, callback) {
      void look().then(() => {
        backend ??= open();
        backend.query(name, family, callback);
      });
    },
    close: () => backend?.close(),
  };
}

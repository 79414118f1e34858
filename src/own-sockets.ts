import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { readRedisAddress } from './config/redis-address.ts';
import { postgresHost } from './store/postgres-host.ts';
import { unlessAborted } from './unless-aborted.ts';

/** Addresses that were ours once and are no more may be another's by now: the latest of so many stay. */
const MOST_KEPT = 256;

interface Host {
  readonly host: string;
  readonly port: number;
}

interface Services {
  readonly postgres: string;
  readonly redis: string | undefined;
  readonly proxy: string | undefined;
}

/** All addresses of a name; none where it does not resolve. */
type Resolve = (host: string) => Promise<readonly string[]>;

const resolveByDns: Resolve = async (host) =>
  (await lookup(host, { all: true }).catch(() => [])).map(({ address }) => address);

/** Addresses that a delivery must never reach, whatever the operator allows: where we listen, and the services that we use ourselves. */
export class OwnSockets {
  readonly #listener: Host;
  readonly #hosts: readonly Host[];
  readonly #resolve: Resolve;
  /** The latest seen last. */
  readonly #known = new Set<string>();

  /**
   * @param listener our own address as the system gave it; the unspecified one stands for every address of the machine
   * @param services URLs, several hosts allowed
   */
  constructor(
    listener: { readonly address: string; readonly port: number },
    services: Services,
    resolve = resolveByDns,
  ) {
    this.#listener = { host: listener.address, port: listener.port };
    this.#hosts = hostsOfServices(services);
    this.#resolve = resolve;
  }

  /**
   * Resolves all names anew: one may not have resolved before, or have another address since, as after a failover.
   * @param signal ends the look: names that did not resolve yet are left out
   * @param atOnce how many names are looked up at a time. Node has no more than two of the whole process under way, and a dead resolver
   * keeps each for up to half a minute: beside other work, which has to find Postgres, one
   * @returns what is ours and what was, as `ip:port` or `[ip]:port`
   */
  async look(signal: AbortSignal, atOnce = 1): Promise<string[]> {
    const found = listeningAddresses(this.#listener.host).map((address) => format(address, this.#listener.port));
    const names = new Set(this.#hosts.map(({ host }) => host)).values();
    const addresses = new Map<string, readonly string[]>();
    const lookUp = async () => {
      // Those who look share what is left.
      for (const name of names) {
        if (signal.aborted) return;
        addresses.set(name, (await unlessAborted(this.#resolve(name), signal)) ?? []);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lookUp));
    for (const { host, port } of this.#hosts)
      for (const address of addresses.get(host) ?? []) found.push(format(address, port));
    for (const socket of found) {
      this.#known.delete(socket);
      this.#known.add(socket);
    }
    for (const oldest of this.#known) {
      if (this.#known.size <= Math.max(MOST_KEPT, found.length)) break;
      this.#known.delete(oldest);
    }
    return [...this.#known];
  }
}

function hostsOfServices({ postgres, redis, proxy }: Services): Host[] {
  const address = redis === undefined ? null : readRedisAddress(redis);
  const own = postgresHost(postgres);
  return [
    ...hostsOf(postgres, 5432),
    // A Unix socket has no address.
    ...(own === null || own.host.startsWith('/') ? [] : [own]),
    ...(address === null || address.kind === 'one' ? hostsOf(redis ?? '', 6379) : address.nodes),
    ...hostsOf(proxy ?? '', 80),
  ];
}

function listeningAddresses(address: string): string[] {
  if (address !== '0.0.0.0' && address !== '::') return [address];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [address, ...own.map((each) => each.address.replace(/%.*$/, ''))];
}

/** `scheme://user:secret@host:port,host:port/rest`: connection strings name several hosts where a URL has one. */
function hostsOf(text: string, defaultPort: number): Host[] {
  const authority = /^[a-z+]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(text)?.[1] ?? '';
  return authority
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(part) ?? [];
      return { host: (host ?? '').replace(/^\[|\]$/g, ''), port: Number(port ?? defaultPort) };
    })
    .filter(({ host }) => host !== '');
}

function format(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

import { Resolver as CaresResolver } from 'node:dns';
import { isIPv4 } from 'node:net';
import type { HostsFile } from './hosts-file.ts';
import { isLocalhost, LOCALHOST_ADDRESSES } from './localhost.ts';

export interface DnsRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Asks name servers for the addresses of one family. Answers by callback exactly once; errors carry a c-ares code. */
export interface DnsBackend {
  query(
    name: string,
    family: 4 | 6,
    callback: (error: NodeJS.ErrnoException | null, records: readonly DnsRecord[]) => void,
  ): void;
  close(): void;
}

export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  /** `code` is a c-ares code (`ENOTFOUND`, `ESERVFAIL`, …) or `ETIMEOUT`. */
  | { readonly ok: false; readonly code: string; readonly detail: string };

export interface Resolver {
  /** All addresses of a host name (not a literal), v4 first, at most 32. Never rejects. */
  resolve(name: string): Promise<Resolution>;
  close(): void;
}

export interface ResolverOptions {
  readonly backend: DnsBackend;
  readonly hosts: HostsFile;
  /** Time for one name, both families together. */
  readonly timeoutMs?: number;
  readonly maxCachedNames?: number;
  /** Milliseconds on any steady clock. */
  readonly now?: () => number;
}

const MAX_ADDRESSES = 32;
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 60_000;
/** A name that does not exist is not asked for again at once; one whose servers failed is asked for sooner. */
const ABSENT_TTL_MS = 5_000;
const FAILED_TTL_MS = 1_000;
/** How long the slower family is waited for once the other has answered (RFC 8305 §3, generously: an AAAA may hold a denied address). */
const SECOND_FAMILY_MS = 1_000;

/**
 * c-ares on `servers` (`ip:port`), or on the name servers that the system has at this moment (`systemDns` follows them): it waits on
 * sockets in the event loop, so a name server that hangs holds no thread. It asks for names as they are: search domains of resolv.conf do
 * not apply.
 */
export function caresBackend(servers?: readonly string[]): DnsBackend {
  const resolver = new CaresResolver({ timeout: 1_500, tries: 2, maxTimeout: 2_500 });
  if (servers !== undefined) resolver.setServers(servers);
  return {
    query(name, family, callback) {
      const done = (error: NodeJS.ErrnoException | null, records: DnsRecord[]) => callback(error, records ?? []);
      if (family === 4) resolver.resolve4(name, { ttl: true }, done);
      else resolver.resolve6(name, { ttl: true }, done);
    },
    close: () => resolver.cancel(),
  };
}

/**
 * Resolves names within a time limit and a bounded cache. Look-ups of one name at the same time share one query. TTLs are
 * honoured between 1 s and 60 s; that a cached answer may be stale is safe, because every connection checks its addresses.
 */
export function createResolver(options: ResolverOptions): Resolver {
  const { backend, hosts, timeoutMs = 5_000, maxCachedNames = 10_000, now = () => performance.now() } = options;
  const cache = new Map<string, { resolution: Resolution; expiresAt: number }>();
  const underWay = new Map<string, Promise<Resolution>>();

  async function lookUp(name: string): Promise<Resolution> {
    const local = await hosts.addressesOf(name);
    if (local.length > 0) return { ok: true, addresses: local.slice(0, MAX_ADDRESSES) };
    if (isLocalhost(name)) return { ok: true, addresses: LOCALHOST_ADDRESSES };
    const { resolution, ttlMs } = await askBoth(backend, name, timeoutMs);
    if (cache.size >= maxCachedNames) cache.delete(cache.keys().next().value!);
    cache.set(name, { resolution, expiresAt: now() + ttlMs });
    return resolution;
  }

  return {
    resolve(hostname) {
      const name = hostname.toLowerCase().replace(/\.$/, '');
      const cached = cache.get(name);
      if (cached !== undefined && cached.expiresAt > now()) return Promise.resolve(cached.resolution);
      cache.delete(name);
      let promise = underWay.get(name);
      if (promise === undefined) {
        promise = lookUp(name).finally(() => underWay.delete(name));
        underWay.set(name, promise);
      }
      return promise;
    },
    close() {
      cache.clear();
      backend.close();
    },
  };
}

type Answer = { readonly error: NodeJS.ErrnoException | null; readonly records: readonly DnsRecord[] };

function askBoth(
  backend: DnsBackend,
  name: string,
  timeoutMs: number,
): Promise<{ resolution: Resolution; ttlMs: number }> {
  return new Promise((settle) => {
    const answers: Answer[] = [];
    let timer = setTimeout(finish, timeoutMs);
    let finished = false;
    function finish() {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      settle(conclude(name, answers));
    }
    for (const family of [4, 6] as const) {
      backend.query(name, family, (error, records) => {
        answers.push({ error, records });
        if (answers.length === 2) finish();
        else if (records.length > 0 && !finished) {
          clearTimeout(timer);
          timer = setTimeout(finish, Math.min(SECOND_FAMILY_MS, timeoutMs));
        }
      });
    }
  });
}

function conclude(name: string, answers: readonly Answer[]): { resolution: Resolution; ttlMs: number } {
  const records = answers.flatMap((answer) => answer.records);
  if (records.length > 0) {
    const v4First = [...records].sort((a, b) => Number(isIPv4(b.address)) - Number(isIPv4(a.address)));
    const ttlMs = Math.min(...records.map((record) => record.ttl * 1000));
    return {
      resolution: { ok: true, addresses: v4First.slice(0, MAX_ADDRESSES).map((record) => record.address) },
      ttlMs: Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, ttlMs)),
    };
  }
  const codes = answers.map((answer) => answer.error?.code ?? 'ENODATA');
  if (answers.length < 2) codes.push('ETIMEOUT');
  const absent = codes.find((code) => code === 'ENOTFOUND');
  const failed = codes.find((code) => code !== 'ENODATA' && code !== 'ENOTFOUND');
  const code = absent ?? failed ?? 'ENODATA';
  return {
    resolution: { ok: false, code, detail: `${name}: ${explain(code)} (${code})` },
    ttlMs: code === 'ENOTFOUND' || code === 'ENODATA' ? ABSENT_TTL_MS : FAILED_TTL_MS,
  };
}

function explain(code: string): string {
  switch (code) {
    case 'ENOTFOUND':
      return 'the name does not exist';
    case 'ENODATA':
      return 'the name has no addresses';
    case 'ETIMEOUT':
      return 'name servers did not answer in time';
    case 'ESERVFAIL':
      return 'the name server failed';
    case 'EREFUSED':
    case 'ECONNREFUSED':
      return 'the name server refused';
    default:
      return 'the name could not be resolved';
  }
}

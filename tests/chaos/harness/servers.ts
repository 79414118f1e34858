import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEgressProxy, type TestProxy } from '../../support/egress-proxy.ts';
import { type PostgresProcess, startPostgresProcess } from '../../support/postgres-process.ts';
import { type RedisProcess, startRedisProcess } from '../../support/redis-process.ts';
import { FaultProxy } from './fault-proxy.ts';
import type { StageSpec } from './scenario.ts';

/** Postgres and Redis of a play, and what may stand before them. Everything is closed in the reverse order of its start. */
export interface Servers {
  readonly postgres: PostgresProcess;
  readonly redis: RedisProcess | null;
  readonly postgresProxy: FaultProxy | null;
  readonly redisProxy: FaultProxy | null;
  readonly egressProxy: TestProxy | null;
  /** What the service is told, through the proxies; empty Redis for none. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Where Postgres's data is, when it has a disk of its own. */
  readonly dataDir: string | null;
}

type Cleanup = (close: () => Promise<void>) => void;

/** @param onClose told how to undo each start, so that a start that fails half-way leaves nothing behind */
export async function startServers(spec: StageSpec, withRedis: boolean, onClose: Cleanup): Promise<Servers> {
  const dataDir = spec.postgresDiskMb === undefined ? undefined : await mountDisk(spec.postgresDiskMb, onClose);
  const postgres = await startPostgresProcess({
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(spec.postgres === undefined ? {} : { settings: spec.postgres }),
  });
  onClose(() => postgres.close());
  const redis = withRedis ? await startRedisProcess(spec.redis) : null;
  if (redis !== null) onClose(() => redis.close());
  const proxyFor = async (url: string, isWanted: boolean) => {
    if (!isWanted) return null;
    const proxy = await FaultProxy.start(Number(new URL(url).port));
    onClose(() => proxy.close());
    return proxy;
  };
  const { proxied = [] } = spec;
  const postgresProxy = await proxyFor(postgres.url, proxied.includes('postgres'));
  const redisProxy = redis === null ? null : await proxyFor(redis.url, proxied.includes('redis'));
  const egressProxy = spec.egressProxy === true ? await startEgressProxy() : null;
  if (egressProxy !== null) onClose(() => egressProxy.stop());
  return {
    postgres,
    redis,
    postgresProxy,
    redisProxy,
    egressProxy,
    databaseUrl: through(postgres.url, postgresProxy),
    dataDir: dataDir ?? null,
    redisUrl: redis === null ? '' : through(redis.url, redisProxy),
  };
}

function through(url: string, proxy: FaultProxy | null): string {
  const rewritten = new URL(url);
  if (proxy !== null) rewritten.port = String(proxy.port);
  return rewritten.href;
}

/** A file system in memory that is full when it is full. Needs root. */
async function mountDisk(megabytes: number, onClose: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-chaos-disk-'));
  onClose(() => rm(folder, { recursive: true, force: true }));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder]);
  onClose(async () => void execFileSync('umount', ['-l', folder]));
  return folder;
}

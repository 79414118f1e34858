import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { certificatePath } from './certificates.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { type RedisProcess, startRedisProcess } from './redis-process.ts';

/** Several Redis that stand in for each other. */
export interface RedisGroup {
  /** As `REDIS_URL` names it. */
  readonly url: string;
  /** Whoever has the key now. */
  ownerOf(key: string): Promise<RedisProcess>;
  close(): Promise<void>;
}

const run = promisify(execFile);

/** A key and a certificate of ours, which clients need not answer with one of theirs. */
const TLS: readonly string[] = [
  ...['--tls-cert-file', certificatePath('localhost'), '--tls-key-file', certificatePath('localhost')],
  ...['--tls-ca-cert-file', certificatePath('ca'), '--tls-auth-clients', 'no'],
];
/** Of the servers, and another one of the Sentinel. */
const [PASSWORD, SENTINEL_PASSWORD] = ['of:servers', 'of&sentinel'];

/** A master with a replica, and a Sentinel that puts the replica in its place half a second after it is gone. */
export function startSentinelGroup(): Promise<RedisGroup> {
  return startSentinels([], (port) => `redis+sentinel://127.0.0.1:${port}/posthorn`);
}

/** Likewise, and all of them by TLS and with passwords alone. */
export function startGuardedSentinelGroup(): Promise<RedisGroup> {
  const logins = `sentinel_password=${encodeURIComponent(SENTINEL_PASSWORD!)}`;
  return startSentinels(
    ['--requirepass', PASSWORD!, '--masterauth', PASSWORD!, '--tls-replication', 'yes', ...TLS],
    (port) => `rediss+sentinel://:${encodeURIComponent(PASSWORD!)}@127.0.0.1:${port}/posthorn?${logins}`,
  );
}

/** @param settings of the servers; where there are some, also those of TLS */
async function startSentinels(settings: readonly string[], urlOf: (port: number) => string): Promise<RedisGroup> {
  const isGuarded = settings.length > 0;
  const [masterPort, replicaPort, port] = [await freePort(), await freePort(), await freePort()];
  const listening = (own: number) => (isGuarded ? [...settings, '--tls-port', String(own)] : ['--port', String(own)]);
  const master = await startRedisProcess(listening(masterPort));
  const replica = await startRedisProcess([...listening(replicaPort), '--replicaof', '127.0.0.1', String(masterPort)]);
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-sentinel-'));
  const config = join(folder, 'sentinel.conf');
  const guard = [
    ...TLS.flatMap((word, i) => (i % 2 === 0 ? [`${word.slice(2)} ${TLS[i + 1]}`] : [])),
    ...['port 0', `tls-port ${port}`, 'tls-replication yes', `requirepass ${SENTINEL_PASSWORD}`],
    `sentinel auth-pass posthorn ${PASSWORD}`,
  ];
  await writeFile(
    config,
    [
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor posthorn 127.0.0.1 ${masterPort} 1`,
      'sentinel down-after-milliseconds posthorn 500',
      'sentinel failover-timeout posthorn 2000',
      ...(isGuarded ? guard : [`port ${port}`]),
    ].join('\n'),
  );
  const sentinel = spawn('redis-server', [config, '--sentinel'], { stdio: 'ignore' });
  const login = isGuarded ? ['--tls', '--cacert', certificatePath('ca'), '-a', SENTINEL_PASSWORD!] : [];
  const asked = async (command: string) =>
    (await run('redis-cli', ['-p', String(port), ...login, ...command.split(' ')])).stdout;
  // It would promote nobody whom it does not know.
  await eventually(
    () => asked('SENTINEL replicas posthorn').catch(() => ''),
    (text) => text.includes(String(replicaPort)) && text.includes('master-link-status\nok'),
  );
  return {
    url: urlOf(port),
    ownerOf: async () => {
      const address = await asked('SENTINEL get-master-addr-by-name posthorn');
      return address.includes(String(replicaPort)) ? replica : master;
    },
    close: async () => {
      const exited = once(sentinel, 'exit');
      sentinel.kill('SIGKILL');
      await exited;
      await Promise.all([master.close(), replica.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Three masters and a replica of each, that takes its place two seconds after it is gone. */
export function startRedisCluster(): Promise<RedisGroup> {
  return startCluster(false);
}

/** Likewise; clients come by TLS. */
export function startGuardedRedisCluster(): Promise<RedisGroup> {
  return startCluster(true);
}

async function startCluster(isGuarded: boolean): Promise<RedisGroup> {
  const tlsPorts: number[] = [];
  const start = async () =>
    startRedisProcess([
      ...(isGuarded
        ? [
            ...TLS,
            '--tls-cluster',
            'yes',
            '--tls-replication',
            'yes',
            '--tls-port',
            String(tlsPorts[tlsPorts.push(await freePort()) - 1]),
          ]
        : []),
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
      ...['--cluster-port', String(await freePort()), '--repl-diskless-sync-delay', '0'],
    ]);
  const nodes = await Promise.all(Array.from({ length: 6 }, start));
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']);
  // A replica that never had what its master has is not promoted.
  const look = (node: RedisProcess) => Promise.all([node.command('CLUSTER INFO'), node.command('INFO replication')]);
  await eventually(
    () => Promise.all(nodes.map(look)),
    (all) =>
      all.every(([cluster]) => cluster.includes('cluster_state:ok')) &&
      all.filter(([, replication]) => replication.includes('master_link_status:up')).length === 3,
  );
  return {
    url: isGuarded
      ? `rediss+cluster://${tlsPorts.map((port) => `127.0.0.1:${port}`).join(',')}`
      : `redis+cluster://${addresses.slice(0, 3).join(',')}`,
    ownerOf: async (key) => {
      const answers = await Promise.all(nodes.map((node) => node.command(`SET ${key} 1 EX 1 NX`).catch(String)));
      const port = Number(/MOVED \d+ [^:]*:(\d+)/.exec(answers.join(' '))?.[1]);
      return nodes.find((node) => node.port === port)!;
    },
    close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
  };
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/** A master with a replica, and a Sentinel that puts the replica in its place half a second after it is gone. */
export async function startSentinelGroup(): Promise<RedisGroup> {
  const master = await startRedisProcess([]);
  const replica = await startRedisProcess(['--replicaof', '127.0.0.1', String(master.port)]);
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-sentinel-'));
  const port = await freePort();
  const config = join(folder, 'sentinel.conf');
  await writeFile(
    config,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor posthorn 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds posthorn 500',
      'sentinel failover-timeout posthorn 2000',
    ].join('\n'),
  );
  const sentinel = spawn('redis-server', [config, '--sentinel'], { stdio: 'ignore' });
  const asked = async (command: string) => (await run('redis-cli', ['-p', String(port), ...command.split(' ')])).stdout;
  // It would promote nobody whom it does not know.
  await eventually(
    () => asked('SENTINEL replicas posthorn').catch(() => ''),
    (text) => text.includes(String(replica.port)) && text.includes('master-link-status\nok'),
  );
  return {
    url: `redis+sentinel://127.0.0.1:${port}/posthorn`,
    ownerOf: async () => {
      const address = await asked('SENTINEL get-master-addr-by-name posthorn');
      return address.includes(String(replica.port)) ? replica : master;
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
export async function startRedisCluster(): Promise<RedisGroup> {
  const start = async () =>
    startRedisProcess([
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
    url: `redis+cluster://${addresses.slice(0, 3).join(',')}`,
    ownerOf: async (key) => {
      const answers = await Promise.all(nodes.map((node) => node.command(`SET ${key} 1 EX 1 NX`).catch(String)));
      const port = Number(/MOVED \d+ [^:]*:(\d+)/.exec(answers.join(' '))?.[1]);
      return nodes.find((node) => node.port === port)!;
    },
    close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
  };
}

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { connectKafka, type KafkaClient } from './kafka-client.ts';
import { fetchKafka } from './kafka-jars.ts';
import { type KafkaListener, kafkaSettings, SCRAM } from './kafka-settings.ts';

/** An Apache Kafka of the caller's own: one node (KRaft), always on one port. */
export interface KafkaProcess extends Omit<KafkaClient, 'ask' | 'disconnect'> {
  /** `127.0.0.1:port` */
  readonly broker: string;
  /** The same by one of `listeners`, by its name. */
  readonly brokers: Readonly<Record<string, string>>;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server too. */
  close(): Promise<void>;
}

export interface KafkaOptions {
  /** `name=…,password=…` of those who log in by SCRAM. */
  readonly scramUsers?: readonly string[];
  readonly listeners?: readonly KafkaListener[];
}

const JAVA = ['-Xms96m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
/** No machine on which the tests can pass is as slow as this. */
const START_MS = 180_000;
const execute = promisify(execFile);

/** @throws Error where `requireKafka` would skip */
export async function startKafkaProcess({ scramUsers = [], listeners = [] }: KafkaOptions = {}): Promise<KafkaProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-kafka-'));
  const port = await freePort();
  const bound = [];
  for (const listener of listeners) bound.push({ listener, port: await freePort() });
  const config = join(folder, 'server.properties');
  await writeFile(config, kafkaSettings({ folder, port, controllerPort: await freePort(), listeners: bound }));
  await format(config, scramUsers);
  const broker = `127.0.0.1:${port}`;
  const client = connectKafka(broker);
  let child = await launch(config, client);
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    ...client,
    broker,
    brokers: Object.fromEntries(bound.map(({ listener, port: own }) => [listener.name, `127.0.0.1:${own}`])),
    get pid() {
      return child.pid!;
    },
    crash: async () => {
      await client.disconnect();
      await end();
    },
    start: async () => {
      child = await launch(config, client);
    },
    close: async () => {
      await client.close();
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function java(more: readonly string[]): readonly string[] {
  const had = fetchKafka();
  if (had.kind === 'missing') throw new Error(`Kafka cannot be had: ${had.why}`);
  return [...JAVA, '-cp', had.classPath, ...more];
}

async function format(config: string, scramUsers: readonly string[]): Promise<void> {
  const users = scramUsers.flatMap((user) => SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[${user}]`]));
  // With an equals sign: an id may begin with a dash.
  const id = `--cluster-id=${randomBytes(16).toString('base64url')}`;
  await execute('java', java(['kafka.tools.StorageTool', 'format', id, '-c', config, ...users])).catch((error) => {
    throw new Error(`Kafka's storage could not be formatted: ${error.stderr ?? error}`);
  });
}

async function launch(config: string, client: KafkaClient): Promise<ChildProcess> {
  const child = spawn('java', java(['kafka.Kafka', config]), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-2_000);
  });
  const end = performance.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Kafka ended at its start: ${said}`);
    if (performance.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`Kafka did not answer within ${START_MS} ms: ${said}`);
    }
    try {
      await client.ask();
      return child;
    } catch {
      await sleep(100);
    }
  }
}

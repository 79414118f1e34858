import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, Producer } from '@platformatic/kafka';
import type { TestContext } from 'vitest';
import { freePort } from './free-port.ts';
import { fetchKafka } from './kafka-jars.ts';

/** An Apache Kafka of the test's own: one node (KRaft), always on one port. */
export interface KafkaProcess {
  /** `127.0.0.1:port` */
  readonly broker: string;
  /** The same by one of `tls`, by its name. */
  readonly tlsBrokers: ReadonlyMap<string, string>;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  createTopic(topic: string, partitions: number, settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Until the topic has as many. */
  addPartitions(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  send(messages: readonly KafkaRecord[]): Promise<void>;
  /** Sends each message in a request of its own, all in one transaction, and keeps or takes back what was sent. */
  transact(end: 'commit' | 'abort', messages: readonly KafkaRecord[]): Promise<void>;
  /** What the group has committed, by `topic/partition`. */
  committed(group: string): Promise<ReadonlyMap<string, number>>;
  /** Sets what the group has committed; it must have no members. */
  rewind(group: string, topic: string, partitions: number): Promise<void>;
  crash(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaOptions {
  /** Settings of the server beside ours; those of listeners are added to ours. */
  readonly more?: Readonly<Record<string, string>>;
  /** `name=…,password=…` of those who log in by SCRAM. */
  readonly scramUsers?: readonly string[];
  /** Listeners that speak TLS, beside the one in clear text. */
  readonly tls?: readonly TlsListener[];
}

/** Paths are of PEM files. */
export interface TlsListener {
  /** Capital letters. */
  readonly name: string;
  /** A private key and its certificate. */
  readonly certificate: string;
  /** The authority of the certificate that clients must have; absent: they need none. */
  readonly clientCa?: string;
  /** Passwords by the names of those who log in by PLAIN, beside the `scramUsers`; absent: nobody logs in. */
  readonly plainUsers?: Readonly<Record<string, string>>;
}

export interface KafkaRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key?: string;
  readonly value: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const jars = () => {
  found ??= fetchKafka();
  return found;
};
let found: ReturnType<typeof fetchKafka> | undefined;

/** Skips a test, saying why, on a machine that cannot run Kafka; in CI it fails there instead. */
export function requireKafka(context: TestContext): void {
  const { kind, ...rest } = jars();
  if (kind === 'there') return;
  const why = `Kafka cannot be had: ${(rest as { why: string }).why}`;
  if (process.env.CI) throw new Error(`${why}, and CI must run the tests that need it`);
  context.skip(why);
}

const JAVA = ['-Xms96m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const START_MS = 90_000;

/** @throws Error where `requireKafka` would skip */
export async function startKafkaProcess(given: KafkaOptions = {}): Promise<KafkaProcess> {
  const { more = {}, scramUsers = [], tls = [] } = given;
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-kafka-'));
  const port = await freePort();
  const tlsBrokers = new Map<string, string>();
  for (const { name } of tls) tlsBrokers.set(name, `127.0.0.1:${await freePort()}`);
  const config = join(folder, 'server.properties');
  await writeFile(config, properties(folder, port, await freePort(), { ...tlsSettings(tls, tlsBrokers), ...more }));
  const users = scramUsers.flatMap((user) => SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[${user}]`]));
  const format = java([
    'kafka.tools.StorageTool',
    'format',
    // With an equals sign: an id may begin with a dash.
    `--cluster-id=${randomBytes(16).toString('base64url')}`,
    '-c',
    config,
    ...users,
  ]);
  const formatted = spawnSync('java', format, { encoding: 'utf8' });
  if (formatted.status !== 0) throw new Error(`Kafka's storage could not be formatted: ${formatted.stderr}`);
  const broker = `127.0.0.1:${port}`;
  const options = { clientId: 'posthorn-tests', bootstrapBrokers: [broker], retries: 5, retryDelay: 200 };
  const admin = new Admin(options);
  let producer = new Producer({ ...options, acks: -1, idempotent: true });
  let transactional: Producer | undefined;
  let child = await launch(config, admin);
  const crash = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    broker,
    tlsBrokers,
    get pid() {
      return child.pid!;
    },
    createTopic: async (topic, partitions, settings = {}) => {
      const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    },
    addPartitions: async (topic, partitions) => {
      await admin.createPartitions({ topics: [{ name: topic, count: partitions }] });
      // What the producer knows of the topic is as old as its last look.
      producer.clearMetadata();
    },
    deleteTopic: async (topic) => {
      await admin.deleteTopics({ topics: [topic] });
    },
    send: async (messages) => {
      // Idempotent: a request that is sent again, as after a restart, must not bring its messages twice.
      await producer.send({ messages: messages.map(toMessage), acks: -1 });
    },
    transact: async (end, messages) => {
      // One id for all, so that the broker knows them as one producer.
      transactional ??= new Producer({ ...options, acks: -1, idempotent: true, transactionalId: 'posthorn-tests' });
      const transaction = await transactional.beginTransaction();
      for (const message of messages) await transaction.send({ messages: [toMessage(message)], acks: -1 });
      await transaction[end]();
    },
    committed: (group) => committedOf(admin, group),
    rewind: async (group, topic, partitions) => {
      const offsets = Array.from({ length: partitions }, (_, partition) => ({ partition, offset: 0n }));
      await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets: offsets }] });
    },
    crash: async () => {
      await producer.close(true).catch(() => {});
      await crash();
    },
    start: async () => {
      producer = new Producer({ ...options, acks: -1, idempotent: true });
      child = await launch(config, admin);
    },
    close: async () => {
      await Promise.all(
        [admin.close(), producer.close(true), transactional?.close(true)].map((closing) => closing?.catch(() => {})),
      );
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function java(more: readonly string[]): readonly string[] {
  const had = jars();
  if (had.kind === 'missing') throw new Error(`Kafka cannot be had: ${had.why}`);
  return [...JAVA, '-cp', had.classPath, ...more];
}

function properties(
  folder: string,
  port: number,
  controllerPort: number,
  more: Readonly<Record<string, string>>,
): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 2,
  };
  const added = Object.entries(more).map(([name, value]) => [
    name,
    LISTS.has(name) ? `${settings[name as keyof typeof settings]},${value}` : value,
  ]);
  return Object.entries({ ...settings, ...Object.fromEntries(added) })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const MODULES = 'org.apache.kafka.common.security';

function tlsSettings(
  listeners: readonly TlsListener[],
  brokers: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  if (listeners.length === 0) return {};
  const addresses = listeners.map(({ name }) => `${name}://${brokers.get(name)}`).join(',');
  const protocols = listeners.map(({ name, plainUsers }) => `${name}:${plainUsers === undefined ? 'SSL' : 'SASL_SSL'}`);
  return {
    listeners: addresses,
    'advertised.listeners': addresses,
    'listener.security.protocol.map': protocols.join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    ...Object.assign({}, ...listeners.map(settingsOf)),
  };
}

function settingsOf({ name, certificate, clientCa, plainUsers }: TlsListener): Readonly<Record<string, string>> {
  const own: Record<string, string> = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': certificate };
  if (clientCa !== undefined)
    Object.assign(own, {
      'ssl.client.auth': 'required',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': clientCa,
    });
  if (plainUsers !== undefined) {
    const users = Object.entries(plainUsers).map(([user, password]) => ` user_${user}="${password}"`);
    own['plain.sasl.jaas.config'] = `${MODULES}.plain.PlainLoginModule required${users.join('')};`;
    for (const mechanism of SCRAM)
      own[`${mechanism.toLowerCase()}.sasl.jaas.config`] = `${MODULES}.scram.ScramLoginModule required;`;
  }
  const prefix = `listener.name.${name.toLowerCase()}`;
  return Object.fromEntries(Object.entries(own).map(([key, value]) => [`${prefix}.${key}`, value]));
}

const LISTS = new Set(['listeners', 'advertised.listeners', 'listener.security.protocol.map']);

async function launch(config: string, admin: Admin): Promise<ChildProcess> {
  const child = spawn('java', java(['kafka.Kafka', config]), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-2_000);
  });
  const end = performance.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Kafka ended at its start: ${said}`);
    if (performance.now() > end) throw new Error(`Kafka did not answer within ${START_MS} ms: ${said}`);
    try {
      await admin.listTopics();
      return child;
    } catch {
      await sleep(100);
    }
  }
}

function toMessage({ topic, partition, key, value, headers }: KafkaRecord) {
  return {
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    value: Buffer.from(value),
    headers: new Map(Object.entries(headers ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  };
}

async function committedOf(admin: Admin, group: string): Promise<ReadonlyMap<string, number>> {
  const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] });
  return new Map(
    (offsets?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, committedOffset }) => [`${name}/${partitionIndex}`, Number(committedOffset)]),
    ),
  );
}

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { freePort } from './free-port.ts';

/** Where a RabbitMQ is, in what JSON can hold. */
export interface RabbitmqServer {
  /** `amqp://user:password@127.0.0.1:port`. */
  readonly url: string;
  readonly port: number;
  /** Of the TLS listener; null without `tls`. */
  readonly tlsPort: number | null;
  readonly username: string;
  readonly password: string;
  /** By which its programs find it. */
  readonly env: Readonly<Record<string, string>>;
}

/** A RabbitMQ of the caller's own, always on one port, with its data kept over restarts. */
export interface RabbitmqProcess extends Omit<RabbitmqServer, 'env'> {
  readonly server: RabbitmqServer;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  /** A command of `rabbitmqctl`, and what it printed. @throws Error when it fails. Takes about a second. */
  ctl(...command: readonly string[]): Promise<string>;
  /** A user who may do everything in the virtual host `/`. */
  addUser(name: string, password: string): Promise<void>;
  /**
   * Resolves when the queues, exchanges and bindings declared so far are on disk. RabbitMQ with Mnesia (before 4) writes them a few
   * seconds late, and a quorum queue that a crash makes it forget cannot be declared again usefully.
   */
  settle(): Promise<void>;
  /** Turns the memory alarm on, which blocks every connection that publishes, or off again. */
  alarm(isOn: boolean): Promise<void>;
  /** Ends it in order: connections are closed with a reason. */
  stop(): Promise<void>;
  /** Ends it as a power cut does. */
  crash(): Promise<void>;
  /** Starts it again after `stop` or `crash`. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** Holds it still (SIGSTOP): connections stay open and nothing answers. @returns what lets it go on. */
  freeze(): () => void;
  close(): Promise<void>;
}

export interface RabbitmqProcessOptions {
  /** Paths of PEM files. With it there is a TLS listener, which takes a client certificate of this CA, and clients without. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** More lines of `rabbitmq.conf`. */
  readonly settings?: readonly string[];
}

// Debian's wrappers in /usr/sbin change to the user rabbitmq and to the system's own data; these are the programs behind them.
const PROGRAMS = '/usr/lib/rabbitmq/bin';
const EPMD = '/usr/bin/epmd';
/** No machine on which the tests can pass is as slow as this. */
const START_MS = 180_000;

export function hasRabbitmq(): boolean {
  return existsSync(`${PROGRAMS}/rabbitmq-server`) && existsSync(EPMD);
}

/** Skips a test, saying why, on a machine without RabbitMQ; in CI it fails there instead. */
export function requireRabbitmq(context: TestContext): void {
  if (hasRabbitmq()) return;
  if (process.env.CI) throw new Error('rabbitmq-server is not installed, and CI must run the tests that need it');
  context.skip('rabbitmq-server is not installed');
}

export async function startRabbitmqProcess(options: RabbitmqProcessOptions = {}): Promise<RabbitmqProcess> {
  const place = await makePlace(options);
  const epmd = await startEpmd(place);
  let server = await launch(place).catch((error: unknown) => {
    epmd.kill('SIGKILL');
    throw error;
  });
  const end = async (signal: NodeJS.Signals) => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };
  const start = async () => {
    server = await launch(place);
  };
  const ctl = (...command: readonly string[]) => rabbitmqCtl(place.env, command);
  const { env, ...known } = whereIs(place);
  return {
    ...known,
    server: { env, ...known },
    get pid() {
      return server.pid!;
    },
    ctl,
    addUser: async (name, password) => {
      await ctl('add_user', name, password);
      await ctl('set_permissions', name, '.*', '.*', '.*');
    },
    // The directory of the quorum queues is in dets tables, which are saved every half second.
    settle: async () => void (await ctl('eval', 'mnesia:sync_log(), [dets:sync(T) || T <- dets:all()].')),
    alarm: async (isOn) => void (await ctl('set_vm_memory_high_watermark', 'absolute', isOn ? '1MB' : '2GB')),
    stop: () => end('SIGTERM'),
    crash: () => end('SIGKILL'),
    start,
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    freeze: () => {
      server.kill('SIGSTOP');
      return () => void server.kill('SIGCONT');
    },
    close: async () => {
      await end('SIGKILL');
      epmd.kill('SIGKILL');
      await rm(place.folder, { recursive: true, force: true });
    },
  };
}

/** A command of `rabbitmqctl`, and what it printed. @throws Error when it fails. Takes about a second. */
export async function rabbitmqCtl(env: Readonly<Record<string, string>>, command: readonly string[]): Promise<string> {
  return (await execute(`${PROGRAMS}/rabbitmqctl`, ['--quiet', ...command], { env })).stdout;
}

const USERNAME = 'posthorn';
const PASSWORD = 'rabbit-secret-of-the-tests';
const execute = promisify(execFile);

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly tlsPort: number | null;
  readonly epmdPort: number;
  readonly env: Readonly<Record<string, string>>;
}

async function makePlace(options: RabbitmqProcessOptions): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-tests-rabbitmq-'));
  const [port, distribution, control, epmdPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const tlsPort = options.tls === undefined ? null : await freePort();
  await mkdir(join(folder, 'log'));
  await writeFile(join(folder, 'rabbitmq.conf'), settingsOf(port, tlsPort, options).join('\n'));
  await writeFile(join(folder, 'plugins'), '[].\n');
  const env = {
    PATH: process.env.PATH ?? '',
    // Where Erlang keeps the cookie by which the server and rabbitmqctl trust each other.
    HOME: folder,
    ERL_CRASH_DUMP_BYTES: '0',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    // The start script becomes the server in place of watching it: its pid is the server's.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: `posthorn-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_CTL_DIST_PORT_MIN: String(control),
    RABBITMQ_CTL_DIST_PORT_MAX: String(control),
    RABBITMQ_CTL_ERL_ARGS: LOOPBACK_ONLY,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `+S 2:2 ${LOOPBACK_ONLY}`,
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
    RABBITMQ_FEATURE_FLAGS_FILE: join(folder, 'feature-flags'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
  };
  return { folder, port, tlsPort, epmdPort, env };
}

function whereIs({ port, tlsPort, env }: Place): RabbitmqServer {
  const url = `amqp://${USERNAME}:${PASSWORD}@127.0.0.1:${port}`;
  return { url, port, tlsPort, username: USERNAME, password: PASSWORD, env };
}

const LOOPBACK_ONLY = '-kernel inet_dist_use_interface {127,0,0,1}';

function settingsOf(port: number, tlsPort: number | null, { tls, settings = [] }: RabbitmqProcessOptions): string[] {
  const secure = [
    `listeners.ssl.local = 127.0.0.1:${tlsPort}`,
    `ssl_options.cacertfile = ${tls?.ca}`,
    `ssl_options.certfile = ${tls?.cert}`,
    `ssl_options.keyfile = ${tls?.key}`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = false',
  ];
  return [
    `listeners.tcp.local = 127.0.0.1:${port}`,
    ...(tls === undefined ? [] : secure),
    `default_user = ${USERNAME}`,
    `default_pass = ${PASSWORD}`,
    'vm_memory_high_watermark.absolute = 2GB',
    'disk_free_limit.absolute = 1MB',
    'raft.wal_max_size_bytes = 64000000',
    'log.console = true',
    'log.console.level = info',
    ...settings,
    '',
  ];
}

/** The Erlang port mapper, ours: without one already there, the server would leave one of its own running. */
async function startEpmd(place: Place): Promise<ChildProcess> {
  const epmd = spawn(EPMD, ['-port', String(place.epmdPort), '-address', '127.0.0.1'], { stdio: 'ignore' });
  const end = Date.now() + START_MS;
  while (!(await answers(place.epmdPort))) {
    if (epmd.exitCode !== null || Date.now() > end) throw new Error('epmd does not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return epmd;
}

function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.on('connect', () => resolve(true));
  socket.on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

async function launch(place: Place): Promise<ChildProcess> {
  const child = spawn(`${PROGRAMS}/rabbitmq-server`, [], {
    cwd: place.folder,
    env: place.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  const listen = (chunk: Buffer) => {
    said = (said + chunk).slice(-20_000);
    if (said.includes('Server startup complete')) resolve();
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  child.on('error', reject);
  child.on('close', () => reject(new Error(`rabbitmq-server ended at its start:\n${said}`)));
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    reject(new Error(`rabbitmq-server did not start within ${START_MS} ms:\n${said}`));
  }, START_MS);
  await ready.finally(() => clearTimeout(timer));
  // Its pipes stay drained, so that a chatty log never stops it; what was said is forgotten.
  for (const stream of [child.stdout, child.stderr]) stream.removeAllListeners('data').resume();
  return child;
}

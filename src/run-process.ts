import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { createApp } from './api/app.ts';
import { HttpServer } from './api/http-server.ts';
import { buildContext } from './build-context.ts';
import { type Config, ConfigError } from './config/config.ts';
import type { Context } from './context.ts';
import { compileEgressPolicy } from './delivery/egress-policy.ts';
import { Demo } from './embedded/demo.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
import { readLocalKeys } from './embedded/local-keys.ts';
import { startupPage } from './embedded/startup-page.ts';
import { periodic, type Service, startServices, stopServices } from './lifecycle.ts';
import { createLogger } from './observability/logger.ts';
import { prepareDatabase } from './store/prepare-database.ts';
import { workerServices } from './workers/worker-role.ts';

const CALIBRATE_MS = 5_000;

/** Runs until it is told to stop. @returns the exit code. */
export async function runProcess(config: Config): Promise<number> {
  const stopping = awaitSignal();
  checkEgressRules(config);
  const { log, flush } = createLogger(config.LOG_LEVEL);
  const http = new HttpServer();
  const { port } = await http.listen(config.HOST, config.PORT);
  const base = await openBase(config);
  try {
    await prepareDatabase(base.databaseUrl, config.LANES);
    const policy = compileEgressPolicy({
      allowedNetworks: config.ALLOWED_NETWORKS,
      allowedPorts: config.ALLOWED_PORTS,
      allowedSockets: base.demoSocket === null ? [] : [base.demoSocket],
      forbiddenSockets: await ownSockets(config, base.databaseUrl, port),
      httpsOnly: config.HTTPS_ONLY,
    });
    const context = buildContext({ ...base, config, policy, log });
    const services = servicesOf(context, http);
    const stopMs = config.SHUTDOWN_SECONDS * 1000 - POSTGRES_STOP_MS;
    await startServices(services, stopMs);
    try {
      context.observe.lifecycle('started', { roles: config.ROLES.join(','), host: config.HOST, port, version: context.version });
      if (base.demo !== null) await startupPage({ config, port, operatorKey: base.operatorKey, demo: base.demo, prisma: context.prisma });
      const ending = await Promise.race([stopping, base.lost]);
      context.observe.lifecycle('stopping', { reason: ending.text });
      return ending.exitCode;
    } finally {
      await stopServices(services, stopMs, (name, error) => context.observe.workFailed(`stop of ${name}`, error));
      context.observe.lifecycle('stopped');
    }
  } finally {
    flush();
    await http.stop(0);
    await base.close();
  }
}

/** What stopping the embedded Postgres may take of the deadline. */
const POSTGRES_STOP_MS = 1_500;

interface Ending {
  readonly text: string;
  readonly exitCode: number;
}

function awaitSignal(): Promise<Ending> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve({ text: signal, exitCode: 0 }));
  });
}

/** What the process stands on: a database and keys, its own or given. */
interface Base {
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly masterKeys: readonly string[];
  readonly demo: Demo | null;
  readonly demoSocket: string | null;
  /** Resolves when it gives way. */
  readonly lost: Promise<Ending>;
  close(): Promise<void>;
}

async function openBase(config: Config): Promise<Base> {
  if (config.DATABASE_URL !== undefined) {
    const { DATABASE_URL: databaseUrl, OPERATOR_KEY: operatorKey, MASTER_KEY: masterKeys } = config;
    // `readConfig` requires both with DATABASE_URL.
    return { databaseUrl, operatorKey: operatorKey!, masterKeys: masterKeys!, demo: null, demoSocket: null, lost: new Promise(() => {}), close: async () => {} };
  }
  const tell = (line: string) => void process.stdout.write(`${line}\n`);
  const postgres = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: tell });
  const keys = await readLocalKeys(config.DATA_DIR);
  const demo = new Demo(config.DATA_DIR);
  let isClosing = false;
  return {
    databaseUrl: postgres.url,
    operatorKey: config.OPERATOR_KEY ?? keys.operatorKey,
    masterKeys: config.MASTER_KEY ?? [keys.masterKey],
    demo,
    demoSocket: config.DEMO ? await demo.open() : null,
    lost: lossOf(postgres, () => isClosing),
    close: async () => {
      isClosing = true;
      if (config.DEMO) await demo.close();
      await postgres.stop();
    },
  };
}

async function lossOf(postgres: EmbeddedPostgres, isClosing: () => boolean): Promise<Ending> {
  const { code, signal } = await postgres.exited;
  if (isClosing()) return { text: 'stopped', exitCode: 0 };
  const text = `The embedded Postgres ended by itself (${signal ?? `exit code ${code}`}). Start Posthorn again: nothing acknowledged is lost.`;
  process.stderr.write(`${text}\n`);
  return { text, exitCode: 1 };
}

/** @throws ConfigError when ALLOWED_NETWORKS names something that is no network. */
function checkEgressRules({ ALLOWED_NETWORKS: allowedNetworks }: Config): void {
  try {
    compileEgressPolicy({ allowedNetworks });
  } catch (error) {
    throw new ConfigError([`ALLOWED_NETWORKS: ${(error as Error).message}`]);
  }
}

/** Addresses that a delivery must never reach, whatever the operator allows: our own listener, Postgres and Redis. */
async function ownSockets(config: Config, databaseUrl: string, port: number): Promise<string[]> {
  const sockets = listeningAddresses(config.HOST).map((address) => format(address, port));
  const services: [string | undefined, number][] = [
    [databaseUrl, 5432],
    [config.REDIS_URL, 6379],
  ];
  for (const [text, defaultPort] of services) {
    for (const [, host, digits] of (text ?? '').matchAll(/(?:@|\/\/|,)(\[[^\]]+\]|[^/@,:[\]]+)(?::(\d+))?(?=[,/?]|$)/g)) {
      const addresses = await lookup(host!.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []);
      sockets.push(...addresses.map(({ address }) => format(address, Number(digits ?? defaultPort))));
    }
  }
  return sockets;
}

/** The unspecified address listens on every address of the machine. */
function listeningAddresses(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [host, ...own.map(({ address }) => address.replace(/%.*$/, ''))];
}

function format(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function servicesOf(context: Context, http: HttpServer): Service[] {
  const { config, clock, workerPool, observe, health } = context;
  const onFailure = (name: string, error: unknown) => observe.workFailed(name, error);
  const readClock = async () => {
    await clock.calibrate(workerPool);
    health.sawPostgres();
  };
  const services: Service[] = [
    { name: 'context', start: readClock, stop: () => context.close() },
    periodic('clock', CALIBRATE_MS, readClock, onFailure),
  ];
  if (config.ROLES.includes('worker')) services.push(...workerServices(context));
  services.push({
    name: 'http',
    start: async () => http.serve(createApp(context)),
    stop: async (deadlineMs) => {
      await http.stop(deadlineMs);
      await context.commits.drain();
    },
  });
  return services;
}

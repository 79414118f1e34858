import type { RequestListener } from 'node:http';
import { HttpServer } from './api/http-server.ts';
import { awaitSignal, type Stopping } from './await-signal.ts';
import { buildContext } from './build-context.ts';
import type { Config } from './config/config.ts';
import type { Context } from './context.ts';
import { compileEgressPolicy, forbidSockets } from './delivery/egress-policy.ts';
import { startupPage } from './embedded/startup-page.ts';
import { explainTo } from './explain-postgres.ts';
import { ingestLimitsService } from './ingest-limits-service.ts';
import { type Ending, type Installation, openInstallation } from './installation.ts';
import { periodic, type Service, type Stage, startServices, stopServices } from './lifecycle.ts';
import { createLogger } from './observability/logger.ts';
import { Observer } from './observability/observer.ts';
import { OwnSockets } from './own-sockets.ts';
import { partitionService } from './partition-service.ts';
import { checkMasterKey } from './store/check-master-key.ts';
import type { MigrationWait } from './store/migrate.ts';
import { prepareDatabase } from './store/prepare-database.ts';
import { countTenants, findOldestTenant } from './store/tenants.ts';

const CALIBRATE_MS = 5_000;
/** How soon it is known that a service of ours has another address. */
const LOOK_MS = 15_000;
/** Of names, at a time, while nothing else is looked up. */
const FIRST_LOOKUPS = 2;
/** What stopping the embedded Postgres may take of the shutdown's time. */
const POSTGRES_STOP_MS = 1_500;
/** How much of the shutdown's time requests under way may take: what they stored must still be written down. */
const HTTP_STOP_SHARE = 0.8;

/**
 * Runs until it is told to stop, or loses what it stands on.
 * @param besideEmptyUrl see `besideEmptyDatabaseUrl`
 * @returns why it ended.
 */
export async function runProcess(config: Config, besideEmptyUrl: readonly string[]): Promise<Ending> {
  const { asked: stopping, signal } = awaitSignal();
  const { log, writeInfo, flush, watchDrops } = createLogger(config.LOG_LEVEL);
  const observe = new Observer(log, writeInfo);
  if (besideEmptyUrl.length > 0) observe.databaseUrlEmpty(besideEmptyUrl);
  const http = new HttpServer(config.MAX_CONNECTIONS);
  const listener = await http.listen(config.HOST, config.PORT);
  const installation = await openUnlessAborted(config, signal);
  if (installation === null) return stopping;
  const { databaseUrl, operatorKey, isEmbedded, demo } = installation;
  try {
    // Another process may be migrating for long: a signal must not have to wait for that.
    const onWait = (wait: MigrationWait) => observe.migrationWaits(wait);
    const prepared = prepareDatabase(databaseUrl, config.LANES, config.REDIS_URL === undefined, onWait).catch(
      explainTo(config),
    );
    const ending = await Promise.race([prepared.then(() => undefined), stopping]);
    if (ending !== undefined) return ending;
    const { REDIS_URL: redis, EGRESS_PROXY_URL: proxy } = config;
    const own = new OwnSockets(listener, { postgres: databaseUrl, redis, proxy });
    const forbiddenSockets = await own.look(signal, FIRST_LOOKUPS);
    if (signal.aborted) return stopping;
    const policy = compileEgressPolicy({
      allowedNetworks: config.ALLOWED_NETWORKS,
      allowedPorts: config.ALLOWED_PORTS,
      allowedSockets: demo === null ? [] : [demo.socket],
      forbiddenSockets,
      httpsOnly: config.HTTPS_ONLY,
    });
    const context = buildContext({ ...installation, config, policy, observe });
    observe.metrics.http.watch(http.connections);
    watchDrops({
      onDropped: (lines) => observe.linesDropped(lines),
      onCaughtUp: () => observe.logCaughtUp(),
    });
    const { unknownMigrations } = await prepared;
    if (unknownMigrations.length > 0) observe.databaseNewer(unknownMigrations);
    context.health.addReadiness(() => (http.isStopping ? 'stopping' : null));
    return await runServices(context, http, own, { asked: stopping, signal }, async () => {
      const { host, port } = { host: listener.address, port: listener.port };
      observe.lifecycle('started', { roles: config.ROLES.join(','), host, port, version: context.version });
      const ending = Promise.race([stopping, installation.lost]);
      if (isEmbedded) {
        const page = { config, port, operatorKey, demo: demo?.run ?? null, tenants: tenantsOf(context), signal };
        // Its demo may wait for long.
        await Promise.race([startupPage(page), ending]);
      }
      return ending;
    });
  } finally {
    await flush();
    await http.stop(0);
    await installation.close();
  }
}

/** Null when it was told to stop before there was one: nothing of it is left. */
function openUnlessAborted(config: Config, signal: AbortSignal): Promise<Installation | null> {
  return openInstallation(config, signal).catch((error: unknown) => {
    if (signal.aborted && error === signal.reason) return null;
    throw error;
  });
}

const tenantsOf = ({ prisma }: Context) => ({
  count: () => countTenants(prisma),
  oldest: () => findOldestTenant(prisma),
});

/** Starts the services, waits for the reason to end, and stops them whatever happened in between. */
async function runServices(
  context: Context,
  http: HttpServer,
  own: OwnSockets,
  stop: Stopping,
  untilEnding: () => Promise<Ending>,
): Promise<Ending> {
  const { config, observe } = context;
  const stopMs = config.SHUTDOWN_SECONDS * 1000 - POSTGRES_STOP_MS;
  const services = servicesOf(context, http, own, await loadRoles(config.ROLES));
  if (!(await startServices(services, stopMs, stop.signal))) return stop.asked;
  try {
    const ending = await untilEnding();
    observe.lifecycle('stopping', { reason: ending.text });
    return ending;
  } finally {
    await stopServices(services, stopMs, (name, error) => observe.workFailed(`stop of ${name}`, error));
    observe.lifecycle('stopped');
  }
}

interface Roles {
  /** In the order in which they start. */
  readonly servicesOf: readonly ((context: Context) => Service[])[];
  readonly createApp: (context: Context) => RequestListener;
}

/** Of the roles only those that the process has: each costs memory, and time at the start. */
async function loadRoles(roles: Config['ROLES']): Promise<Roles> {
  const servicesOf = [];
  if (roles.includes('worker')) servicesOf.push((await import('./workers/worker-role.ts')).workerServices);
  if (roles.includes('ingest')) servicesOf.push((await import('./sources/ingest-role.ts')).ingestServices);
  if (roles.includes('api')) return { servicesOf, createApp: (await import('./api/app.ts')).createApp };
  return { servicesOf, createApp: (await import('./api/health-app.ts')).createHealthApp };
}

function servicesOf(context: Context, http: HttpServer, own: OwnSockets, roles: Roles): Stage[] {
  const { config, clock, workerPool, observe, health, commits, vault } = context;
  const { runtime } = observe.metrics;
  let drained: Promise<void> | undefined;
  const readClock = async () => {
    await clock.calibrate(workerPool);
    health.sawPostgres();
  };
  const lookAtOwn = async (signal: AbortSignal) => forbidSockets(context.policy, await own.look(signal));
  return [
    { name: 'measurements', start: async () => runtime.start(), stop: async () => runtime.stop() },
    { name: 'context', start: () => readClock().catch(explainTo(config)), stop: () => context.close() },
    { name: 'master key', start: () => checkMasterKey(workerPool, vault), stop: async () => {} },
    periodic('own addresses', LOOK_MS, lookAtOwn, (name, error) => observe.workFailed(name, error)),
    periodic('clock', CALIBRATE_MS, readClock, (name, error) => observe.workFailed(name, error)),
    ...(config.ROLES.some((role) => role !== 'worker') ? [ingestLimitsService(context)] : []),
    partitionService(context),
    {
      name: 'requests',
      start: async () => {},
      stop: async () => {
        await drained;
        await commits.drain();
      },
    },
    // One stage: neither housekeeping at work nor the broker of a source that does not answer may take the time that deliveries under way need.
    roles.servicesOf.flatMap((services) => services(context)),
    {
      name: 'http',
      start: async () => {
        context.beginServing();
        http.serve(roles.createApp(context));
      },
      // Only begun here: a client that is slow with its request must not take the time that deliveries under way need.
      stop: async (deadlineMs) => {
        drained = http.stop(deadlineMs * HTTP_STOP_SHARE);
      },
    },
  ];
}

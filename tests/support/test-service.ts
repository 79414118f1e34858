import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import pino from 'pino';
import { inject } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { buildContext } from '../../src/build-context.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import type { Context } from '../../src/context.ts';
import { compileEgressPolicy } from '../../src/delivery/egress-policy.ts';
import { ingestLimitsService } from '../../src/ingest-limits-service.ts';
import { type Stage, startServices, stopServices } from '../../src/lifecycle.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { Observer } from '../../src/observability/observer.ts';
import { ingestServices } from '../../src/sources/ingest-role.ts';
import { workerServices } from '../../src/workers/worker-role.ts';
import { createTestDatabase } from './test-database.ts';
import { TEST_LANES } from './test-server.ts';
import { MASTER_KEY, OPERATOR_KEY, PATIENT_CONNECT_SECONDS, PATIENT_DEADLINE_MS } from './test-settings.ts';

export interface TestServiceOptions {
  readonly config?: Partial<Config>;
  /** Whether deliveries are made; without it only the API runs. */
  readonly worker?: boolean;
  /** Whether sources are consumed. */
  readonly ingest?: boolean;
  /** Shares the database of another service. */
  readonly databaseUrl?: string;
  /** Gets every line of the log. */
  readonly onLine?: (line: LogLine) => void;
}

export type LogLine = Readonly<Record<string, unknown>>;

export interface TestService {
  readonly app: Express;
  /** `http://127.0.0.1:port` of a real listener. */
  readonly baseUrl: string;
  readonly context: Context;
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

/** A whole Posthorn in this process on a database of its own, which may deliver to loopback. Logs are silent. */
export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const database =
    options.databaseUrl === undefined ? await createTestDatabase() : { url: options.databaseUrl, drop: async () => {} };
  const config: Config = {
    ...readConfig({
      DATABASE_URL: database.url,
      OPERATOR_KEY,
      MASTER_KEY,
      REDIS_URL: inject('redisUrl'),
      LANES: String(TEST_LANES),
    }),
    REDIS_PREFIX: `{test-${randomBytes(6).toString('hex')}}`,
    SHUTDOWN_SECONDS: 3,
    INGEST_DEADLINE_MS: PATIENT_DEADLINE_MS,
    CONNECT_TIMEOUT_SECONDS: PATIENT_CONNECT_SECONDS,
    ...options.config,
  };
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8', '::1/128'] });
  const context = buildContext({
    config,
    databaseUrl: database.url,
    operatorKey: OPERATOR_KEY,
    masterKeys: config.MASTER_KEY ?? [MASTER_KEY],
    policy,
    observe: observerOf(options),
  });
  await context.clock.calibrate(context.workerPool);
  const services: Stage[] = [
    ingestLimitsService(context),
    [
      ...(options.worker === true ? workerServices(context) : []),
      ...(options.ingest === true ? ingestServices(context) : []),
    ],
  ];
  await startServices(services, 3_000, new AbortController().signal);
  context.beginServing();
  const app = createApp(context);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    app,
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    context,
    databaseUrl: database.url,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stopServices(services, 3_000, () => {});
      await context.close();
      await database.drop();
    },
  };
}

function observerOf({ onLine }: TestServiceOptions): Observer {
  if (onLine === undefined) {
    const { log, writeInfo } = createLogger(process.env.TEST_LOG_LEVEL ?? 'silent');
    return new Observer(log, writeInfo);
  }
  const log = pino({ base: null }, { write: (line) => onLine(JSON.parse(line)) });
  return new Observer(log, (event, members) => onLine({ event, ...JSON.parse(`{${members}}`) }));
}

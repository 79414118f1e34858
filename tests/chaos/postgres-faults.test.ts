import { afterAll, beforeAll, beforeEach, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { type Loader, type SentEvent, startLoader } from '../support/loader.ts';
import { type PostgresProcess, startPostgresProcess } from '../support/postgres-process.ts';
import { type CreatedEndpoint, createEndpoint, openStage, type Stage } from '../support/stage.ts';

const OUTAGE_MS = 5_000;
/** A producer hears within a second that nothing was stored; the rest is what a busy machine may add. */
const ANSWER_MS = 2_500;
/** Of a slow machine's answers some are late by seconds; those that wait for Postgres are all late. */
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const STRANGER = 'stranger';

// An api and a worker on a Postgres of their own that means its fsync, to which one outage comes after the other.
let postgres: PostgresProcess;
let stage: Stage;
let api: string;
let endpoints: readonly CreatedEndpoint[];
/** Every event that was sent so far. */
const history: SentEvent[] = [];

beforeAll(async () => {
  postgres = await startPostgresProcess();
  stage = await openStage({ databaseUrl: postgres.url, env: { REDIS_URL: '', INGEST_DEADLINE_MS: '900' } });
  stage.receiver.behave((_request, response) => void setTimeout(() => response.writeHead(204).end(), 20));
  api = (await stage.start('api')).baseUrl;
  await stage.start('worker');
  await call(api, 'POST', '/v1/tenants', { id: STRANGER });
  const paths = Array.from({ length: 4 }, (_, i) => `/${i}`);
  endpoints = await Promise.all(
    paths.map((path) => createEndpoint(api, { url: stage.receiver.url + path, retry_schedule: [0, 1, 2, 4] })),
  );
});
afterAll(async () => {
  await stage?.close();
  await postgres?.close();
});
beforeEach(() => onTestFailed(() => console.error(stage.logs())));

async function load(): Promise<Loader> {
  const loader = startLoader({ baseUrl: () => api, concurrency: 8, paceMs: 50 });
  await loader.acknowledged(80);
  return loader;
}

/** Lets the producers meet the outage, and tells what they were answered. */
async function refusalsDuring(loader: Loader, heal: () => Promise<void>): Promise<readonly SentEvent[]> {
  const from = loader.history.length;
  const refusals = () => loader.history.slice(from).filter((sent) => sent.status !== null && sent.status !== 202);
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  // They come while Postgres is still away.
  await eventually(
    async () => refusals().length,
    (count) => count > 10,
  );
  const refused = refusals();
  await heal();
  await loader.acknowledged(loader.history.filter((sent) => sent.outcome === 'ok').length + 80);
  return refused;
}

function expectFastRefusals(refused: readonly SentEvent[]): void {
  expect(new Set(refused.map((sent) => sent.status))).toEqual(new Set([503]));
  expect(refused.filter((sent) => !(Number(sent.retryAfter) >= 1))).toEqual([]);
  expect(median(refused.map((sent) => sent.tookMs))).toBeLessThan(ANSWER_MS);
}

async function expectNothingLost(loader: Loader): Promise<void> {
  history.push(...(await loader.stop()));
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  // Workers keep what they could not write down, so that an outage alone makes no duplicates.
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
}

test('F18: Postgres that hangs for 5 s: 503 within the second, then all goes on, and no connection leaks', async () => {
  const loader = await load();
  const thaw = await postgres.freeze();
  onTestFinished(thaw);
  // A tenant that the process knows nothing of yet has to be looked up, which must not take longer.
  const stranger = startLoader({ baseUrl: () => api, concurrency: 1, count: 1, tenant: STRANGER });
  const refused = await refusalsDuring(loader, async () => {
    await stranger.done;
    thaw();
  });
  expectFastRefusals(refused);
  expect(stranger.history).toMatchObject([{ status: 503, retryAfter: expect.stringMatching(/^\d+$/) }]);
  await expectNothingLost(loader);
  await expectNoLeak();
});

test('F17, F57: Postgres killed under load: no false 2xx, 503 at once with Retry-After, and everything acknowledged is delivered', async () => {
  const loader = await load();
  await postgres.crash();
  const refused = await refusalsDuring(loader, () => postgres.start());
  expectFastRefusals(refused);
  await expectNothingLost(loader);
  await expectNoLeak();
});

/** Two processes, each with three pools: 8 + 3 + 6, and the session of the worker. */
async function expectNoLeak(): Promise<void> {
  // Those that were given up may have to end first.
  await eventually(
    () => stage.query(`SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'posthorn-%'`),
    ([{ count }]) => count <= 2 * 17 + 1,
  );
}

import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { type Loader, type SentEvent, startLoader } from '../support/loader.ts';
import { type PostgresProcess, startPostgresProcess } from '../support/postgres-process.ts';
import { type CreatedEndpoint, createEndpoint, type Stage, stageForTest } from '../support/stage.ts';

const OUTAGE_MS = 5_000;
/** A producer hears within a second that nothing was stored; the rest is what a busy machine may add. */
const ANSWER_MS = 2_500;
/** Of a slow machine's answers some are late by seconds; those that wait for Postgres are all late. */
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const STRANGER = 'stranger';

interface Play {
  readonly stage: Stage;
  readonly api: string;
  readonly postgres: PostgresProcess;
  readonly endpoints: readonly CreatedEndpoint[];
  readonly loader: Loader;
}

/** An api and a worker on a Postgres of their own that means its fsync, under load. */
async function play(): Promise<Play> {
  const postgres = await startPostgresProcess();
  onTestFinished(() => postgres.close());
  const stage = await stageForTest({ databaseUrl: postgres.url, env: { REDIS_URL: '', INGEST_DEADLINE_MS: '900' } });
  stage.receiver.behave((_request, response) => void setTimeout(() => response.writeHead(204).end(), 20));
  const api = await stage.start('api');
  await stage.start('worker');
  await call(api.baseUrl, 'POST', '/v1/tenants', { id: STRANGER });
  const paths = Array.from({ length: 4 }, (_, i) => `/${i}`);
  const endpoints = await Promise.all(
    paths.map((path) => createEndpoint(api.baseUrl, { url: stage.receiver.url + path, retry_schedule: [0, 1, 2, 4] })),
  );
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 8, paceMs: 50 });
  await loader.acknowledged(80);
  return { stage, api: api.baseUrl, postgres, endpoints, loader };
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

async function expectNothingLost({ stage, endpoints, loader }: Play): Promise<void> {
  const history = await loader.stop();
  const evidence = { databaseUrl: stage.databaseUrl, history, ledger: stage.receiver.requests, endpoints };
  // Workers keep what they could not write down, so that an outage alone makes no duplicates.
  await checkInvariants({ ...evidence, duplicatesAtMost: 0 });
}

test('F17, F57: Postgres killed under load: no false 2xx, 503 at once with Retry-After, and everything acknowledged is delivered', async () => {
  const current = await play();
  await current.postgres.crash();
  const refused = await refusalsDuring(current.loader, () => current.postgres.start());
  expectFastRefusals(refused);
  await expectNothingLost(current);
});

test('F18: Postgres that hangs for 5 s: 503 within the second, then all goes on, and no connection leaks', async () => {
  const current = await play();
  const { stage, api, postgres, loader } = current;
  const connections = async () => {
    const [row] = await stage.query(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'posthorn-%'`,
    );
    return row.count as number;
  };
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
  await expectNothingLost(current);
  // Two processes, each with three pools: 8 + 3 + 6, and the session of the worker.
  expect(await connections()).toBeLessThanOrEqual(2 * 17 + 1);
});

import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgresProcess } from '../support/postgres-process.ts';
import { scrape } from '../support/scrape.ts';
import { type CreatedEndpoint, createEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';

/** Each change of a lane's owner or lease, with the lease that there was and the moment on Postgres's clock. */
const LOG_LANES = `
  CREATE TABLE lane_log (lane int, owner text, epoch bigint, until timestamptz, at timestamptz, new_owner text, new_epoch bigint);
  CREATE FUNCTION log_lane() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO lane_log VALUES (OLD.lane, OLD.owner, OLD.epoch, OLD.leased_until, clock_timestamp(), NEW.owner, NEW.epoch);
    RETURN NULL;
  END $$;
  CREATE TRIGGER log_lane AFTER UPDATE ON lanes FOR EACH ROW EXECUTE FUNCTION log_lane()`;

// Locks are listed for the whole server, on which other tests run.
const PRESENT = `classid = 7410 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
const sessions = (stage: Stage) => stage.query(`SELECT objid::text AS key, pid FROM pg_locks WHERE ${PRESENT}`);

/** Resolves when both workers have shown signs of life for three seconds after that moment. */
const bothSeenAfter = (stage: Stage, moment: string) =>
  eventually(
    () => stage.query(`SELECT 1 FROM workers WHERE seen_at > $1::timestamptz + interval '3 s'`, [moment]),
    (rows) => rows.length === 2,
  );

/** What a worker has of deliveries that it has not done with. */
const UNENDED = ['posthorn_requests_in_flight', 'posthorn_deliveries_held', 'posthorn_attempts_unsettled'];

interface Held {
  /** Of the event, as it was acknowledged. */
  readonly eventId: string;
  readonly endpoint: CreatedEndpoint;
  readonly answers: ServerResponse[];
  readonly lane: { readonly lane: number; readonly owner: string; readonly epoch: string };
}

/** A worker with a request under way that the receiver holds. */
async function holdOne(stage: Stage, api: string): Promise<Held> {
  const answers: ServerResponse[] = [];
  stage.receiver.behave((_request, response) => void answers.push(response));
  const endpoint = await createEndpoint(api, { url: `${stage.receiver.url}/held`, timeout_seconds: 30 });
  const { body } = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await stage.receiver.received(1);
  const [lane] = await stage.query('SELECT lane, owner, epoch FROM lanes JOIN mailbox USING (lane)');
  await stage.query(LOG_LANES);
  return { eventId: body.id, endpoint, answers, lane };
}

/** How the lane went to another owner; `wasEarly`: before its last lease had run out. `epoch` is null while it has not gone. */
async function changeOf(stage: Stage, { lane }: Held): Promise<{ wasEarly: boolean | null; epoch: string | null }> {
  const [change] = await stage.query(
    `SELECT min(at) FILTER (WHERE new_epoch > epoch) < max(until) AS "wasEarly", min(new_epoch) FILTER (WHERE new_epoch > epoch) AS epoch
       FROM lane_log WHERE lane = $1 AND epoch = $2`,
    [lane.lane, lane.epoch],
  );
  return change;
}

/** On a machine that is too slow to renew a lease in time, another may have the lane once it has run out, and not before. */
async function expectKept(stage: Stage, held: Held): Promise<void> {
  const { wasEarly, epoch } = await changeOf(stage, held);
  expect(wasEarly).not.toBe(true);
  answerAll(held);
  const duplicates = await checkInvariants(evidenceOf(stage, held, epoch === null ? 0 : 1));
  if (epoch === null) expect([duplicates, stage.receiver.requests.length]).toEqual([0, 1]);
}

const answerAll = ({ answers }: Held) => answers.forEach((answer) => void answer.writeHead(204).end());
const evidenceOf = (stage: Stage, held: Held, duplicatesAtMost: number) => ({
  databaseUrl: stage.databaseUrl,
  history: [{ key: null, outcome: 'ok' as const, id: held.eventId }],
  ledger: stage.receiver.requests,
  endpoints: [held.endpoint],
  duplicatesAtMost,
});

test('G2, F01: a worker that is killed loses its lanes to another before their leases have run out, and its delivery is made again', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const held = await holdOne(stage, api.baseUrl);
  await stage.start('worker');
  await eventually(
    () => sessions(stage),
    (found) => found.length === 2,
  );
  await first.kill('SIGKILL');
  // However slow the others are, they are not to wait for its end.
  await stage.query(`UPDATE lanes SET leased_until = now() + interval '1 hour' WHERE lane = $1 AND epoch = $2`, [
    held.lane.lane,
    held.lane.epoch,
  ]);
  await stage.receiver.received(2);
  answerAll(held);
  await checkInvariants(evidenceOf(stage, held, 1));
  expect(await changeOf(stage, held)).toEqual({ wasEarly: true, epoch: String(Number(held.lane.epoch) + 1) });
});

test('G3: a worker that lives keeps its lanes although its session is ended again and again: nothing is sent twice', async () => {
  const stage = await stageForTest();
  const [api] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const held = await holdOne(stage, api.baseUrl);
  await stage.start('worker');
  await eventually(
    () => sessions(stage),
    (found) => found.length === 2,
  );
  const sessionOf = `SELECT pid FROM pg_locks JOIN workers ON objid::bigint = lock_key WHERE ${PRESENT} AND id = $1`;
  for (let round = 0; round < 20; round++) {
    const [ended] = await stage.query(`SELECT pid, pg_terminate_backend(pid) FROM (${sessionOf}) s`, [held.lane.owner]);
    await eventually(
      () => stage.query(sessionOf, [held.lane.owner]),
      ([found]) => found !== undefined && found.pid !== ended.pid,
    );
  }
  await expectKept(stage, held);
});

test('G3, F17: a restart of Postgres moves no lane: every worker comes back and goes on, and nothing is sent twice', async () => {
  const postgres = await startPostgresProcess();
  onTestFinished(() => postgres.close());
  const stage = await stageForTest({ databaseUrl: postgres.url, env: { REDIS_URL: '' } });
  const [api] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const held = await holdOne(stage, api.baseUrl);
  await stage.start('worker');
  await eventually(
    () => sessions(stage),
    (found) => found.length === 2,
  );
  // Both are past their start, their queues included.
  const [{ now: started }] = await stage.query('SELECT now()::text AS now');
  await bothSeenAfter(stage, started);
  await postgres.crash();
  // Longer than a worker may be silent.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await postgres.start();
  const [{ now }] = await stage.query('SELECT now()::text AS now');
  await bothSeenAfter(stage, now);
  await eventually(
    () => sessions(stage),
    (found) => found.length === 2,
  );
  await expectKept(stage, held);
});

test('G3, F15: a frozen worker keeps its lanes until their leases end; then another has them, and what the first says changes nothing', async () => {
  const stage = await stageForTest();
  const [api, first] = await Promise.all([stage.start('api'), stage.start('worker')]);
  const held = await holdOne(stage, api.baseUrl);
  await stage.start('worker');
  await eventually(
    () => sessions(stage),
    (found) => found.length === 2,
  );
  first.signal('SIGSTOP');
  await stage.receiver.received(2);
  const [taken] = await stage.query(
    'SELECT until < at AS "wasOver", epoch FROM lane_log WHERE lane = $1 AND new_epoch > epoch ORDER BY at LIMIT 1',
    [held.lane.lane],
  );
  expect(taken).toEqual({ wasOver: true, epoch: held.lane.epoch });
  first.signal('SIGCONT');
  answerAll(held);
  // It has hung up, or has the answer and has written what it believes: nothing of it is in its memory any more.
  await eventually(
    async () => {
      const metrics = await scrape(first.baseUrl);
      return UNENDED.map((name) => (metrics.has(name) ? metrics.sum(name) : null));
    },
    (left) => left.every((count) => count === 0),
  );
  await checkInvariants(evidenceOf(stage, held, 1));
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type ReceiverPaths, receiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, openStage, type Stage, TENANT } from '../support/stage.ts';

let stage: Stage;
let receiver: ReceiverPaths;
let api: string;

beforeAll(async () => {
  stage = await openStage();
  receiver = receiverPaths(stage.receiver);
  api = (await stage.start('api,worker')).baseUrl;
});

afterAll(() => stage.close());

test('G8: the audit log takes no UPDATE, no DELETE and no TRUNCATE', async () => {
  await createEndpoint(api, { url: receiver.url('/audited') }, 'audited');
  const before = await stage.query('SELECT * FROM audit_log ORDER BY id');
  expect(before.length).toBeGreaterThan(0);
  for (const statement of [`UPDATE audit_log SET actor = 'nobody'`, 'DELETE FROM audit_log', 'TRUNCATE audit_log']) {
    await expect(stage.query(statement)).rejects.toMatchObject({ code: 'PH003' });
  }
  expect(await stage.query('SELECT * FROM audit_log ORDER BY id')).toEqual(before);
});

test('G8: the settings that an endpoint had at any time follow from the audit log', async () => {
  const { id } = await createEndpoint(api, { url: receiver.url('/changed'), description: 'first' }, 'changed');
  const path = `/v1/tenants/changed/endpoints/${id}`;
  const seen = [(await call(api, 'GET', path)).body];
  for (const patch of [
    { description: 'second' },
    { enabled: false },
    { url: receiver.url('/moved'), max_in_flight: 3 },
  ]) {
    seen.push((await call(api, 'PATCH', path, patch)).body);
  }
  const changes = await stage.query('SELECT after FROM audit_log WHERE object = $1 AND after IS NOT NULL ORDER BY id', [
    id,
  ]);
  expect(changes).toHaveLength(seen.length);
  const names = ['url', 'description', 'enabled'] as const;
  let rebuilt: Record<string, unknown> = {};
  for (const [i, { after }] of changes.entries()) {
    rebuilt = { ...rebuilt, ...after };
    for (const name of names) expect(rebuilt[name], `${name} after change ${i}`).toEqual(seen[i][name]);
  }
});

/** Deliveries in every state that there is. */
async function deliveriesOfEveryKind(): Promise<void> {
  receiver.behave('/recovered', statuses(500, 204));
  for (const path of ['/dead', '/retrying', '/cancelled']) receiver.behave(path, statuses(500));
  const schedules = {
    '/delivered': [0],
    '/recovered': [0, 0],
    '/dead': [0, 0],
    '/retrying': [0, 0, 3600],
    '/cancelled': [0, 3600],
  };
  const ids = new Map<string, string>();
  for (const [path, schedule] of Object.entries(schedules)) {
    ids.set(path, (await createEndpoint(api, { url: receiver.url(path), retry_schedule: schedule })).id);
  }
  await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await eventually(
    () => attemptsOf(TENANT),
    (rows) => rows.length === 8,
  );
  await call(api, 'DELETE', `/v1/tenants/${TENANT}/endpoints/${ids.get('/cancelled')}`);
  await eventually(
    () => attemptsOf(TENANT),
    (rows) => rows.length === 9,
  );
}

const attemptsOf = (tenant: string) =>
  stage.query(
    `SELECT a.event_id || '/' || a.endpoint_num AS delivery, a.attempt, a.decision, a.next_attempt_at, e.url
       FROM attempts a JOIN tenants t ON t.num = a.tenant_num JOIN endpoints e ON e.num = a.endpoint_num
      WHERE t.id = $1 ORDER BY a.event_id, a.endpoint_num, a.attempt`,
    [tenant],
  );

const STATES: Readonly<Record<number, string>> = {
  [DECISION.done]: 'delivered',
  [DECISION.retry]: 'retrying',
  [DECISION.deadLetter]: 'dead_lettered',
  [DECISION.cancel]: 'cancelled',
};

test('G8: the state of every delivery follows from its attempts alone, which are only ever added', async () => {
  await deliveriesOfEveryKind();
  const rebuilt = new Map((await attemptsOf(TENANT)).map((row) => [row.delivery, row]));
  const byPath = [...rebuilt.values()].map(({ url, decision, attempt }) => [
    new URL(url).pathname,
    STATES[decision],
    attempt,
  ]);
  expect(byPath).toEqual([
    ['/delivered', 'delivered', 1],
    ['/recovered', 'delivered', 2],
    ['/dead', 'dead_lettered', 2],
    ['/retrying', 'retrying', 2],
    // A cancellation leaves a number free for the attempt that might have been under way.
    ['/cancelled', 'cancelled', 3],
  ]);
  const waiting = await stage.query(`SELECT event_id || '/' || endpoint_num AS delivery, attempt, due_at FROM mailbox`);
  const expected = [...rebuilt.values()].filter(({ decision }) => decision === DECISION.retry);
  expect(waiting).toEqual(
    expected.map(({ delivery, attempt, next_attempt_at }) => ({ delivery, attempt, due_at: next_attempt_at })),
  );
  const counts = () =>
    stage.query(
      `SELECT sum(n_tup_ins)::int AS added, sum(n_tup_upd + n_tup_del)::int AS altered FROM pg_stat_user_tables WHERE relname LIKE 'attempts%'`,
    );
  const [{ altered }] = await eventually(counts, ([row]) => row.added >= 9);
  expect(altered).toBe(0);
});

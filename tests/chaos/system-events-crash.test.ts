import { expect, test } from 'vitest';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { receiverPaths, statuses } from '../support/receiver-paths.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

const ENDPOINTS = 30;
/** Posts of two events, each followed by a kill. Fewer failures than open a breaker. */
const ROUNDS = 4;

test('workers killed while they settle and announce: each dead letter is told of once, alone or among those of many endpoints', async () => {
  const stage = await stageForTest();
  const receiver = receiverPaths(stage.receiver);
  receiver.behave('/dead', statuses(500));
  const api = await stage.start('api');
  const workers = [await stage.start('worker'), await stage.start('worker')];
  for (let i = 0; i < ENDPOINTS; i++)
    await createEndpoint(api.baseUrl, { url: receiver.url('/dead'), retry_schedule: [0] });
  const subscriptions = [{ types: ['system.delivery.dead_lettered'] }];
  await createEndpoint(api.baseUrl, { url: receiver.url('/ops'), subscriptions });
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  for (let round = 0; round < ROUNDS; round++) {
    const before = receiver.at('/dead').length;
    await call(api.baseUrl, 'POST', '/v1/events', [event, event]);
    // Somewhere between the first answers and the last event.
    await receiver.received('/dead', before + 10 * (round + 1));
    await workers.shift()!.kill('SIGKILL');
    workers.push(await stage.start('worker'));
  }
  const facts = ENDPOINTS * ROUNDS * 2;
  const dead = () =>
    stage.query(
      `SELECT p.id, count(*)::int AS count FROM attempts a JOIN endpoints p ON p.num = a.endpoint_num JOIN events e ON e.id = a.event_id
        WHERE a.decision = ${DECISION.deadLetter} AND e.type = 'a.b' GROUP BY p.id`,
    );
  const toldOf = () => {
    const told = new Map<string, number>();
    const events = new Map(receiver.at('/ops').map(({ headers, body }) => [headers['webhook-id'], body]));
    for (const body of events.values()) {
      const { data } = JSON.parse(body.toString());
      const about = data.endpoint?.id ?? 'many';
      told.set(about, (told.get(about) ?? 0) + (data.count ?? 1));
    }
    return told;
  };
  const sum = (counts: Iterable<number>) => [...counts].reduce((all, count) => all + count, 0);
  await eventually(
    async () => sum(toldOf().values()),
    (count) => count >= facts,
    // Leases of dead workers have to end, and what they had claimed.
    3 * PATIENCE_MS,
  );
  // Nothing is under way any more that could be told of once too often.
  await eventually(
    () =>
      stage.query(
        'SELECT 1 FROM system_notices UNION ALL SELECT 1 FROM announcements WHERE count > 0 UNION ALL SELECT 1 FROM mailbox',
      ),
    (rows) => rows.length === 0,
  );
  const expected = new Map((await dead()).map(({ id, count }) => [id as string, count as number]));
  const told = toldOf();
  expect([sum(expected.values()), sum(told.values())]).toEqual([facts, facts]);
  for (const [id, count] of told) if (id !== 'many') expect(count).toBeLessThanOrEqual(expected.get(id)!);
});

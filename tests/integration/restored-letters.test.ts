import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { call } from '../support/api.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { queueReplays, replayerOf } from '../support/queue-replays.ts';
import { startTestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

const DAY_MS = 86_400_000;
const OLD_MS = Date.now() - 40 * DAY_MS;
const dayOf = (ms: number) => ({
  since: new Date(ms - DAY_MS).toISOString(),
  until: new Date(ms + DAY_MS).toISOString(),
});

/** An event that has outlived its day with a dead letter of each of two endpoints. */
async function outlived() {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const pool = service.context.workerPool;
  await ensurePartitions(pool, OLD_MS, 0);
  const tenant = await makeTenant(service, 'acme');
  const [one, two] = [await makeEndpoint(service, tenant), await makeEndpoint(service, tenant)];
  const event = await logEvent(service, tenant, 'a.b', uuidAt(OLD_MS));
  for (const endpoint of [one, two]) await logAttempt(service, tenant, event, endpoint, 1, 'rejected', 'deadLetter');
  await dropOldPartitions(pool, Date.now(), 30, 90);
  const replayer = replayerOf(pool);
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/acme${path}`, body)).body;
  return {
    letters: [one, two].map(({ id, num }) => ({ endpoint: id, delivery: deliveryIdOf(event, num) })),
    start: async (body: unknown) => (await ask('POST', '/dead-letters/redrive', body)).id as string,
    matched: async (id: string) => (await ask('GET', `/replays/${id}`)).matched as number,
    advance: () => queueReplays(replayer),
    queued: async () => (await pool.query('SELECT endpoint_num, event_id FROM mailbox ORDER BY 1')).rows,
    letterCount: async () => (await ask('GET', '/dead-letters')).data.length as number,
    dropNow: () => dropOldPartitions(pool, Date.now() + 40 * DAY_MS, 30, 90),
    moves: async () => (await pool.query('SELECT FROM restored_events')).rowCount,
  };
}

type Letter = { readonly endpoint: string; readonly delivery: string };

test.each([
  ['by endpoint', ({ endpoint }: Letter) => ({ endpoint_id: endpoint })],
  ['by id', ({ delivery }: Letter) => ({ delivery_ids: [delivery] })],
] as const)(
  'two redrives at once %s make each its dead letter of an event that has outlived its day',
  async (_how, of) => {
    const { letters, start, advance, matched, queued, letterCount } = await outlived();
    const ids = [await start(of(letters[0]!)), await start(of(letters[1]!))];
    await advance();
    expect([await matched(ids[0]!), await matched(ids[1]!)]).toEqual([1, 1]);
    const waiting = await queued();
    expect(waiting).toHaveLength(2);
    // In one place of the log.
    expect(waiting[0].event_id).toBe(waiting[1].event_id);
    expect(await letterCount()).toBe(0);
  },
);

test('a dead letter that was brought back with another is found by the day of its event, as long as it is where it was brought', async () => {
  const { letters, start, advance, matched, queued, moves, dropNow } = await outlived();
  await start({ endpoint_id: letters[0]!.endpoint });
  await advance();
  const late = await start(dayOf(OLD_MS));
  await advance();
  expect(await matched(late)).toBe(1);
  expect(await queued()).toHaveLength(2);
  expect(await moves()).toBe(1);
  await dropNow();
  expect(await moves()).toBe(0);
});

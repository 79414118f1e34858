import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf, eventIdOf } from '../../src/domain/ids.ts';
import { detachWithLetters } from '../../src/store/detach-with-letters.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { dropOldPartitions } from '../../src/store/retention.ts';
import { call } from '../support/api.ts';
import { dropInTurn } from '../support/drop-in-turn.ts';
import { eventually } from '../support/eventually.ts';
import { logAttempt, logEvent, makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startTestService } from '../support/test-service.ts';
import { uuidAt } from '../support/uuid-at.ts';

const OLD_MS = Date.now() - 40 * 86_400_000;
const DATE = new Date(OLD_MS).toISOString().slice(0, 10).replaceAll('-', '');
const DAY = `attempts_p${DATE}`;
/** More than one statement copies, with two dead letters each. */
const EVENTS = 60;

/** A day of forty days ago with many events, each a dead letter of two endpoints; one of each was given up twice. */
async function oldDay() {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const pool = service.context.workerPool;
  await ensurePartitions(pool, OLD_MS, 0);
  const tenant = await makeTenant(service, 'acme');
  const [one, two] = [await makeEndpoint(service, tenant), await makeEndpoint(service, tenant)];
  const uuids = Array.from({ length: EVENTS }, () => uuidAt(OLD_MS));
  const events: string[] = [];
  for (const uuid of uuids.sort()) {
    events.push(await logEvent(service, tenant, 'a.b', uuid));
    await logAttempt(service, tenant, uuid, one, 1, 'tls', 'deadLetter');
    await logAttempt(service, tenant, uuid, one, 3, 'rejected', 'deadLetter');
    await logAttempt(service, tenant, uuid, two, 1, 'rejected', 'deadLetter');
  }
  const ask = async (method: string, path: string, body?: unknown) =>
    (await call(service.baseUrl, method, `/v1/tenants/acme${path}`, body)).body;
  const all = async (after = ''): Promise<string[]> => {
    const { data, next } = await ask('GET', `/dead-letters?limit=250${after}`);
    const ids = data.map((letter: { delivery_id: string }) => letter.delivery_id);
    return next === null ? ids : [...ids, ...(await all(`&cursor=${next}`))];
  };
  const idsOf = (event: string) => ({ ofOne: deliveryIdOf(event, one.num), ofTwo: deliveryIdOf(event, two.num) });
  return { service, pool, ask, events, idsOf, letters: async () => (await all()).sort() };
}

type Day = Awaited<ReturnType<typeof oldDay>>;

const drop = ({ pool }: Day) => dropOldPartitions(pool, Date.now(), 30, 90);

/** The day is detached, and whoever copies its dead letters dies before the last of them. */
async function diesInCopying(day: Day): Promise<void> {
  const { pool, events } = day;
  await pool.query(`ALTER TABLE attempts DETACH PARTITION "${DAY}"`);
  const holder = await pool.connect();
  try {
    await holder.query('BEGIN');
    // In the partition: the detachment of another day waits for those that have the whole log.
    await holder.query(`SELECT FROM "events_p${DATE}" WHERE id = $1 FOR UPDATE`, [events.at(-1)]);
    const dying = drop(day).catch((error: Error) => error.message);
    const [copier] = await eventually(
      () => blockedCopiers(pool),
      (found) => found.length === 1,
    );
    await pool.query('SELECT pg_terminate_backend($1)', [copier!.pid]);
    expect(await dying).toMatch(/terminat/);
  } finally {
    holder.release(true);
  }
}

async function blockedCopiers(pool: pg.Pool): Promise<readonly { pid: number }[]> {
  const { rows } = await pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%WITH looked AS MATERIALIZED%FROM "attempts_p%'`,
  );
  return rows;
}

/** It is copied and detached at one moment, and whoever did so dies before the table is dropped. */
async function diesBeforeDrop({ pool }: Day): Promise<void> {
  const client = await pool.connect();
  try {
    expect(await detachWithLetters(client, 'attempts', DAY)).toBe(true);
  } finally {
    client.release();
  }
}

const moments = [
  ['in the copying', diesInCopying],
  ['before the drop', diesBeforeDrop],
] as const;

test.each(moments)(
  'dead letters that were purged or retried after whoever drops their day died %s are none again; those of other endpoints of their events stay',
  async (_when, dies) => {
    const day = await oldDay();
    const { ask, events, idsOf, letters } = day;
    const [purged, retried] = [idsOf(events[0]!), idsOf(events[1]!)];
    const before = await letters();
    expect(before).toHaveLength(2 * EVENTS);
    await dies(day);
    expect(await ask('POST', '/dead-letters/purge', { delivery_ids: [purged.ofOne] })).toMatchObject({ purged: 1 });
    const { id } = await ask('POST', `/deliveries/${retried.ofOne}/retry`, {});
    expect(id).toMatch(/^dlv_/);
    await dropInTurn(() => drop(day));
    const after = await letters();
    expect(after).not.toContain(purged.ofOne);
    expect(after).toContain(purged.ofTwo);
    expect(after).not.toContain(retried.ofOne);
    // That of the other endpoint was brought back with its event, under a new id.
    expect((await ask('GET', `/dead-letters?event_id=${eventIdOf(events[1]!)}`)).data).toHaveLength(1);
    expect(after).toHaveLength(2 * EVENTS - 2);
  },
);

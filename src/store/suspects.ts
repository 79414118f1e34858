import type pg from 'pg';
import { CAREFUL_FROM, STRIKES_OUT } from '../domain/suspicion.ts';
import { byKey, type DeliveryKey } from './delivery-keys.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import type { AcquiredLane, LaneLease } from './lanes.ts';
import { plainArray } from './plain-array.ts';
import { isDeliveryOf } from './probe.ts';

/** A delivery that was being tried when former owners of the lane died, `strikes` times. */
export interface StruckDelivery extends DeliveryKey {
  readonly lane: number;
  readonly strikes: number;
}

export interface Review {
  /** Deliveries that stay under suspicion. */
  readonly suspects: readonly StruckDelivery[];
  /** Deliveries that this review set aside: they do not wait in the lane any more. */
  readonly setAside: readonly StruckDelivery[];
}

/**
 * Gives a strike to each delivery that was being tried when the owners of these lanes died, and sets aside those that have too many. Call it
 * for lanes that were taken after crashes, before any of their deliveries is sent. Calling it again changes nothing.
 */
export async function reviewSuspects(pool: pg.Pool, lanes: readonly AcquiredLane[]): Promise<Review> {
  return inTransaction(pool, async (client) => {
    const ours = await lockLanes(client, lanes);
    await forgetOthers(client, ours);
    const struck = await strike(client, ours);
    const setAside = struck.filter(({ strikes }) => strikes >= STRIKES_OUT).sort(byKey);
    await setThemAside(client, setAside);
    return { suspects: struck.filter(({ strikes }) => strikes < STRIKES_OUT), setAside };
  });
}

async function lockLanes(client: Queryable, lanes: readonly AcquiredLane[]): Promise<readonly AcquiredLane[]> {
  const { rows } = await client.query<{ lane: number }>(
    `SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) ORDER BY l.lane FOR SHARE OF l`,
    leaseColumns(lanes),
  );
  const held = new Set(rows.map(({ lane }) => lane));
  return lanes.filter(({ lane }) => held.has(lane));
}

/** Deletes suspects of earlier crashes, which were survived since, and those whose row has moved on or is gone. */
async function forgetOthers(client: Queryable, lanes: readonly AcquiredLane[]): Promise<void> {
  await client.query(
    `DELETE FROM lane_suspects s USING unnest($1::smallint[], $2::boolean[]) AS h(lane, is_first)
      WHERE s.lane = h.lane AND (h.is_first OR NOT EXISTS (
              SELECT 1 FROM mailbox m WHERE ${isDeliveryOf('m', 's')} AND m.attempt = s.attempt))`,
    [plainArray(lanes.map(({ lane }) => lane)), `{${lanes.map(({ crashes }) => crashes <= CAREFUL_FROM).join(',')}}`],
  );
}

async function strike(client: Queryable, lanes: readonly AcquiredLane[]): Promise<StruckDelivery[]> {
  const { rows } = await client.query<{ event_id: string; endpoint_num: number; lane: number; strikes: number }>(
    `UPDATE lane_suspects SET strikes = strikes + on_trial::int, on_trial = false WHERE lane = ANY($1::smallint[])
     RETURNING event_id, endpoint_num, lane, strikes`,
    [plainArray(lanes.map(({ lane }) => lane))],
  );
  return rows.map((row) => ({
    eventUuid: row.event_id,
    endpointNum: row.endpoint_num,
    lane: row.lane,
    strikes: row.strikes,
  }));
}

const REASON =
  'The worker died each time that this delivery was tried. It is not tried again before someone retries it by hand.';

// This also deletes the rows of deliveries that were retried, cancelled or dropped since they were set aside: there are never many.
async function setThemAside(client: Queryable, deliveries: readonly StruckDelivery[]): Promise<void> {
  if (deliveries.length === 0) return;
  const keys = keyColumns(deliveries);
  await client.query(
    `DELETE FROM poisoned_deliveries p WHERE NOT EXISTS (
       SELECT 1 FROM mailbox m WHERE ${isDeliveryOf('m', 'p')} AND m.due_at = 'infinity')`,
  );
  await client.query(
    `WITH parked AS (
       UPDATE mailbox m SET parked = true, due_at = 'infinity', replay_num = NULL FROM unnest($1::uuid[], $2::int[], $3::smallint[]) AS k(event_id, endpoint_num, strikes)
        WHERE ${isDeliveryOf('m', 'k')} RETURNING m.event_id, m.endpoint_num, m.tenant_num, k.strikes
     )
     INSERT INTO poisoned_deliveries (event_id, endpoint_num, tenant_num, crashes, reason)
     SELECT event_id, endpoint_num, tenant_num, strikes, $4 FROM parked
     ON CONFLICT (event_id, endpoint_num) DO UPDATE SET crashes = excluded.crashes, reason = excluded.reason, set_aside_at = now()`,
    [...keys, plainArray(deliveries.map(({ strikes }) => strikes)), REASON],
  );
  await client.query(
    `DELETE FROM lane_suspects s USING unnest($1::uuid[], $2::int[]) AS k(event_id, endpoint_num) WHERE ${isDeliveryOf('s', 'k')}`,
    keys,
  );
}

/** A delivery that is about to be sent. */
export interface TriedDelivery extends DeliveryKey {
  readonly lane: number;
  /** Attempts on record, as in its row. */
  readonly attempt: number;
}

/**
 * Notes deliveries as suspects before they are sent. Those of lanes that the caller does not own any more, or that it gave back, which ended
 * their trials, are ignored.
 * @returns those that are not in the mailbox any more as they were read
 */
export async function putOnTrial(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  deliveries: readonly TriedDelivery[],
): Promise<DeliveryKey[]> {
  const { rows } = await pool.query<{ event_id: string; endpoint_num: number }>({
    name: 'put-on-trial',
    text: `WITH held AS MATERIALIZED (
             SELECT l.lane FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) WHERE l.owner IS NOT NULL ORDER BY l.lane FOR SHARE OF l
           ), given AS MATERIALIZED (
             SELECT k.*, EXISTS (SELECT 1 FROM mailbox m WHERE ${isDeliveryOf('m', 'k')} AND m.attempt = k.attempt) AS waits
               FROM unnest($3::uuid[], $4::int[], $5::smallint[], $6::smallint[]) AS k(event_id, endpoint_num, lane, attempt) WHERE k.lane IN (SELECT lane FROM held)
           ), noted AS (
             INSERT INTO lane_suspects (event_id, endpoint_num, lane, attempt, on_trial)
             SELECT event_id, endpoint_num, lane, attempt, true FROM given WHERE waits
             ON CONFLICT (endpoint_num, event_id) DO UPDATE SET lane = excluded.lane, attempt = excluded.attempt, on_trial = true
           )
           SELECT event_id, endpoint_num FROM given WHERE NOT waits`,
    values: [
      ...leaseColumns(leases),
      ...keyColumns(deliveries),
      plainArray(deliveries.map(({ lane }) => lane)),
      plainArray(deliveries.map(({ attempt }) => attempt)),
    ],
  });
  return rows.map((row) => ({ eventUuid: row.event_id, endpointNum: row.endpoint_num }));
}

/** Clears deliveries of suspicion. Those of lanes that the caller does not own any more are left to the new owner. */
export async function clearSuspects(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  deliveries: readonly DeliveryKey[],
): Promise<void> {
  await pool.query({
    name: 'clear-suspects',
    text: `DELETE FROM lane_suspects s
            USING unnest($3::uuid[], $4::int[]) AS k(event_id, endpoint_num), unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch), lanes l
            WHERE ${isDeliveryOf('s', 'k')} AND s.lane = ANY (ARRAY[h.lane]) AND l.lane = h.lane AND l.epoch = h.epoch`,
    values: [...leaseColumns(leases), ...keyColumns(deliveries)],
  });
}

function leaseColumns(leases: readonly LaneLease[]): string[] {
  return [plainArray(leases.map(({ lane }) => lane)), plainArray(leases.map(({ epoch }) => epoch))];
}

function keyColumns(deliveries: readonly DeliveryKey[]): string[] {
  return [
    plainArray(deliveries.map(({ eventUuid }) => eventUuid)),
    plainArray(deliveries.map(({ endpointNum }) => endpointNum)),
  ];
}

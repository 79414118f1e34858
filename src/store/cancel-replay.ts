import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { appendAuditRow } from './audit-row.ts';
import { DECISION, ENDING, OUTCOME_CODES } from './codes.ts';
import { inTransaction, type Queryable } from './in-transaction.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { type OrderKey, orderKeysOf, type Promote, promoteAfter } from './order.ts';
import { pauseAgain } from './pause-again.ts';
import { asFilter, isDeliveryOf, probeOnly } from './probe.ts';
import type { ReplayState } from './replays.ts';
import { WHOLE_FROM } from './whole-days.ts';

/** Deliveries that one transaction withdraws. Settles that share a batch with one of them wait for it, of whichever tenant, and heartbeats behind those. */
const CHUNK = 1_000;

// Rows are locked in the order of all statements that wait for several, so that no two wait for each other.
// A withdrawn delivery that has attempts but no end is cancelled. As in redrive.ts, one number is left free for the attempt that may be in
// flight. A delivery without attempts was not there before the replay, and is gone again. One that was tried meanwhile does not belong to
// the replay any more.
const WITHDRAW = `
  WITH chosen AS MATERIALIZED (
    SELECT endpoint_num, event_id FROM mailbox WHERE replay_num = $1 LIMIT ${CHUNK}
  ),
  ours AS MATERIALIZED (
    SELECT m.endpoint_num, m.event_id FROM chosen c JOIN mailbox m ON ${isDeliveryOf('m', 'c')}
     WHERE ${asFilter('m.replay_num = $1')} ORDER BY c.endpoint_num, c.event_id FOR UPDATE OF m
  ),
  withdrawn AS (
    DELETE FROM mailbox m USING ours o WHERE ${isDeliveryOf('m', 'o')}
    RETURNING m.event_id, m.endpoint_num, m.tenant_num, m.attempt, m.order_key, m.seq, m.paused_at
  ),
  ${pauseAgain('withdrawn')},
  ended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT event_id, now(), endpoint_num, tenant_num, ${numberOfEnd('attempt')}, ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'replay_cancelled' FROM withdrawn w
     WHERE attempt > 0 AND event_id >= ${WHOLE_FROM} AND (SELECT decision FROM attempts a WHERE a.event_id = w.event_id AND a.endpoint_num = w.endpoint_num AND a.${ENDING} LIMIT 1) IS NULL${LAST_GIVES_WAY}
  )
  SELECT (SELECT count(*)::int FROM chosen) AS looked, (SELECT count(*)::int FROM withdrawn) AS withdrawn,
         (SELECT json_agg(k) FROM (SELECT DISTINCT endpoint_num, order_key FROM withdrawn WHERE order_key IS NOT NULL) k) AS keys`;

interface Withdrawal {
  readonly count: number;
  /** Keys whose next delivery may go. */
  readonly keys: readonly OrderKey[];
  /** Whether nothing is left: a cancelled replay queues no more. */
  readonly isLast: boolean;
}

/**
 * Withdraws some of what a replay queued. Call it in a transaction that holds the replay, so that what it has queued, and what of that
 * waits, change together.
 */
async function withdrawSome(client: Queryable, num: number): Promise<Withdrawal> {
  await probeOnly(client);
  const { rows } = await client.query<{
    looked: number;
    withdrawn: number;
    keys: { endpoint_num: number; order_key: number }[] | null;
  }>(WITHDRAW, [num]);
  const { looked, withdrawn, keys } = rows[0]!;
  await client.query('UPDATE replays SET queued = queued - $2 WHERE num = $1', [num, withdrawn]);
  return { count: withdrawn, keys: orderKeysOf(keys ?? []), isLast: looked < CHUNK };
}

/** `resumed`: endpoints with deliveries that stood behind withdrawn ones, and may be made now. */
export type CancelReplayResult = { readonly resumed: ReadonlySet<number> } | 'finished' | 'not_found';

/**
 * Cancels a replay: withdraws what it queued and nobody has tried yet.
 * - A withdrawn delivery is again what it was before. If it was a dead letter for which a key waited, the key waits for it again.
 * - A delivery whose attempt is in flight is withdrawn too. If the receiver takes it, it is delivered all the same (`overruleEnds`);
 *   otherwise the attempt is recorded as late.
 * - From the first transaction on the replay queues no more. Further ones withdraw the rest, each with its line in the audit log. If the
 *   process dies before the last, `finishCancelledReplays` goes on, or the next call does.
 */
export async function cancelReplay(
  pool: pg.Pool,
  tenant: TenantRef,
  id: string,
  actor: string,
  promote: Promote = (keys) => promoteAfter(pool, keys),
): Promise<CancelReplayResult> {
  const resumed = new Set<number>();
  for (;;) {
    const some = await inTransaction(pool, (client) => cancelSome(client, tenant, id, actor));
    if (typeof some === 'string') return some;
    await promote(some.keys);
    for (const { endpointNum } of some.keys) resumed.add(endpointNum);
    if (some.isLast) return { resumed };
  }
}

async function cancelSome(
  client: Queryable,
  tenant: TenantRef,
  id: string,
  actor: string,
): Promise<Withdrawal | 'finished' | 'not_found'> {
  const found = await client.query<{ num: number; state: ReplayState }>(
    'SELECT num, state FROM replays WHERE id = $1 AND tenant_num = $2 FOR UPDATE',
    [id, tenant.num],
  );
  const replay = found.rows[0];
  if (replay === undefined) return 'not_found';
  if (replay.state === 'completed') return 'finished';
  const isNew = replay.state !== 'cancelled';
  if (isNew)
    await client.query(`UPDATE replays SET state = 'cancelled', finished_at = now() WHERE num = $1`, [replay.num]);
  const some = await withdrawSome(client, replay.num);
  if (isNew || some.count > 0) await noteWithdrawn(client, tenant.num, id, actor, some.count);
  return some;
}

async function noteWithdrawn(client: Queryable, tenantNum: number, id: string, actor: string, count: number) {
  const after = { deliveries_withdrawn: count };
  await appendAuditRow(client, { tenantNum, actor, action: 'replay.cancelled', object: id, after });
}

// A loose index scan: one probe per replay that waits for something, however much.
const LEFT = `
  WITH RECURSIVE waiting AS (
    SELECT min(replay_num) AS num FROM mailbox WHERE replay_num IS NOT NULL
    UNION ALL
    SELECT (SELECT min(m.replay_num) FROM mailbox m WHERE m.replay_num IS NOT NULL AND m.replay_num > w.num) FROM waiting w WHERE w.num IS NOT NULL
  )
  SELECT r.num FROM waiting w JOIN replays r ON r.num = w.num WHERE r.state = 'cancelled' ORDER BY r.num`;

/**
 * Withdraws what cancelled replays have left, because the process that cancelled them died, or a transaction of it failed.
 * @param signal ends it after the transaction that is under way
 * @returns how many deliveries
 */
export async function finishCancelledReplays(pool: pg.Pool, signal?: AbortSignal): Promise<number> {
  const { rows } = await pool.query<{ num: number }>(LEFT);
  let total = 0;
  for (const { num } of rows) {
    for (let isLast = false; !isLast && signal?.aborted !== true; ) {
      const some = await inTransaction(pool, async (client) => {
        const found = await client.query<{ id: string; tenant_num: number }>(
          'SELECT id, tenant_num FROM replays WHERE num = $1 FOR UPDATE',
          [num],
        );
        const replay = found.rows[0]!;
        const withdrawn = await withdrawSome(client, num);
        if (withdrawn.count > 0) await noteWithdrawn(client, replay.tenant_num, replay.id, 'system', withdrawn.count);
        return withdrawn;
      });
      await promoteAfter(pool, some.keys);
      total += some.count;
      ({ isLast } = some);
    }
  }
  return total;
}

import type pg from 'pg';
import type { TenantRef } from '../domain/caller.ts';
import { appendAuditRow } from './audit-row.ts';
import { DECISION, OUTCOME_CODES } from './codes.ts';
import { candidateKeys, type DeadLetterFilter } from './dead-letter-list.ts';
import { GIVEN_LETTERS, letterValues } from './dead-letter-reads.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import { inTransaction } from './in-transaction.ts';
import { dropUnusedEvents } from './kept-dead-letters.ts';
import { LAST_GIVES_WAY, numberOfEnd } from './last-number.ts';
import { type OrderKey, type Promote, promoteAfter } from './order.ts';
import { plainArray } from './plain-array.ts';
import { lockRedrives } from './redrive.ts';

/** Which dead letters go: those that pass the filter, or of those that are named the ones that are dead letters. */
export type PurgeSelection = { readonly filter: DeadLetterFilter } | { readonly keys: readonly DeliveryKey[] };

export interface PurgeResult {
  readonly purged: number;
  /** Behind which one the next call goes on, when the time was up before; null when nothing is left. */
  readonly resume: DeliveryKey | null;
  /** Endpoints with deliveries that stood behind one of them in order, and may be made now. */
  readonly resumed: ReadonlySet<number>;
}

/** Does `work` when it is the tenant's turn. @param isBegun whether this goes on with what had a turn before */
export type InTurn = <T>(work: () => Promise<T>, isBegun: boolean) => Promise<T>;

interface Chunk {
  readonly purged: number;
  readonly resumed: readonly OrderKey[];
}

interface Step extends Chunk {
  /** Where the next one begins; null when nothing is left. */
  readonly resume: DeliveryKey | null;
}

const CHUNK = 2_000;

/**
 * Gives dead letters up for good, chunk by chunk, each in a transaction of its own with its line in the audit log. In the log a purge is
 * one more fact about the delivery, which makes it cancelled; of a dead letter that has outlived its day the copy goes.
 * @param asked what the audit log says was asked for
 * @param inTurn each chunk is a search, and waits for the lock of the tenant's redrives with a connection in its hand
 * @param budgetMs when it is spent, the rest stays for another call
 * @param after where the call before stopped: what it looked at is not looked at again, though all of it may still be found as dead letters that were
 */
export async function purgeDeadLetters(
  pool: pg.Pool,
  tenant: TenantRef,
  selection: PurgeSelection,
  {
    actor,
    asked,
    budgetMs,
    inTurn,
    after = null,
    promote = (keys) => promoteAfter(pool, keys),
  }: {
    readonly actor: string;
    readonly asked: object;
    readonly budgetMs: number;
    readonly inTurn: InTurn;
    readonly after?: DeliveryKey | null;
    readonly promote?: Promote;
  },
): Promise<PurgeResult> {
  const end = performance.now() + budgetMs;
  const resumed = new Set<number>();
  let purged = 0;
  let isBegun = false;
  for (let position = after; ; isBegun = true) {
    const from = position;
    const purgeNext = async () => {
      const chunk = await inTransaction(pool, (client) =>
        purgeChunk(client, tenant, selection, from, { actor, asked }),
      );
      await promote(chunk.resumed);
      return chunk;
    };
    const chunk: Step = await inTurn(purgeNext, isBegun);
    purged += chunk.purged;
    for (const { endpointNum } of chunk.resumed) resumed.add(endpointNum);
    if (chunk.resume === null || performance.now() > end) return { purged, resume: chunk.resume, resumed };
    position = chunk.resume;
  }
}

async function purgeChunk(
  client: pg.ClientBase,
  tenant: TenantRef,
  selection: PurgeSelection,
  after: DeliveryKey | null,
  { actor, asked }: { readonly actor: string; readonly asked: object },
): Promise<Step> {
  // Nobody brings one of them back between the look and the purge.
  await lockRedrives(client, tenant.num);
  const filter = 'filter' in selection ? selection.filter : {};
  const { keys, resume } =
    'keys' in selection
      ? { keys: selection.keys, resume: null }
      : await candidateKeys(client, tenant.num, filter, after, CHUNK);
  const { purged, resumed } = await purge(client, tenant.num, keys, filter);
  if (purged > 0) {
    await appendAuditRow(client, {
      tenantNum: tenant.num,
      actor,
      action: 'dead_letters.purged',
      object: tenant.id,
      after: JSON.parse(JSON.stringify({ purged, request: asked })),
    });
  }
  return { purged, resumed, resume };
}

// Those that stand behind a purged one in order wait for it no more. An ordinal is left free for an attempt that may be in flight although
// its redrive was withdrawn: it will be kept, marked late.
const PURGE = `
  ${GIVEN_LETTERS},
  appended AS (
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT l.event_id, now(), l.endpoint_num, $1,
           ${numberOfEnd('(SELECT max(a.attempt) FROM attempts a WHERE a.event_id = l.event_id AND a.endpoint_num = l.endpoint_num)')},
           ${OUTCOME_CODES.skipped}, ${DECISION.cancel}, 'purged'
      FROM letters l WHERE NOT l.is_kept${LAST_GIVES_WAY}
    RETURNING 1
  ),
  dropped AS (
    DELETE FROM kept_dead_letters d USING letters l
     WHERE l.is_kept AND d.event_id = l.event_id AND d.endpoint_num = l.endpoint_num AND d.tenant_num = $1
    RETURNING d.event_id
  ),
  resumed AS (
    DELETE FROM paused_keys p USING letters l WHERE p.endpoint_num = l.endpoint_num AND p.event_id = l.event_id
    RETURNING p.endpoint_num, p.order_key
  )
  SELECT (SELECT count(*)::int FROM appended) + (SELECT count(*)::int FROM dropped) AS purged, ARRAY(SELECT DISTINCT event_id FROM dropped) AS kept,
         (SELECT json_agg(json_build_object('endpointNum', endpoint_num, 'key', order_key)) FROM resumed) AS resumed`;

async function purge(
  client: pg.ClientBase,
  tenantNum: number,
  keys: readonly DeliveryKey[],
  filter: DeadLetterFilter,
): Promise<Chunk> {
  if (keys.length === 0) return { purged: 0, resumed: [] };
  const { rows } = await client.query<PurgedRow>(PURGE, letterValues(tenantNum, keys, filter));
  const { purged, kept, resumed } = rows[0]!;
  if (kept.length > 0) await dropUnusedEvents(client, plainArray(kept));
  return { purged, resumed: resumed ?? [] };
}

interface PurgedRow {
  purged: number;
  kept: string[];
  resumed: OrderKey[] | null;
}

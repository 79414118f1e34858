import { eventIdOf, newUuid } from '../domain/ids.ts';
import { DECISION } from './codes.ts';
import { type DeadLetterReason, REASON } from './dead-letter-reason.ts';
import type { DeliveryKey } from './delivery-keys.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';

/** Which dead letters of the events are wanted. An event of which none is wanted stays where it is. */
export interface WantedLetters {
  readonly eventUuids: readonly string[];
  /** Null: of every endpoint that is not deleted. */
  readonly endpointNums: readonly number[] | null;
  readonly reason: DeadLetterReason | null;
  /** Null: every one. */
  readonly only: readonly DeliveryKey[] | null;
}

/**
 * Brings events whose day was dropped back into the log, with all their dead letters, so that these can be made again like any other. The
 * log has no place for their old UUIDs: each gets a new one, and keeps its public id, its bytes and so its `webhook-id`. The caller
 * holds `lockRedrives`.
 * @returns new UUIDs by old ones, also of events that were brought back before; others without a wanted letter are absent
 */
export async function restoreKept(
  client: Queryable,
  tenantNum: number,
  wanted: WantedLetters,
): Promise<ReadonlyMap<string, string>> {
  if (wanted.eventUuids.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; external_id: string | null; now_ms: number }>(FIND, [
    tenantNum,
    plainArray(wanted.eventUuids),
    wanted.endpointNums === null ? null : plainArray(wanted.endpointNums),
    wanted.reason,
    wanted.only === null ? null : plainArray(wanted.only.map((key) => key.eventUuid)),
    plainArray((wanted.only ?? []).map((key) => key.endpointNum)),
  ]);
  const before = await restoredBefore(client, tenantNum, wanted.eventUuids);
  if (rows.length === 0) return before;
  const restored = new Map(rows.map(({ id, now_ms }) => [id, newUuid(now_ms)]));
  const publicIds = rows.map(({ id, external_id }) => external_id ?? eventIdOf(id));
  await client.query(RESTORE, [
    tenantNum,
    plainArray([...restored.keys()]),
    plainArray([...restored.values()]),
    publicIds,
  ]);
  return new Map([...before, ...restored]);
}

/** Events are brought back with all their dead letters: who wants another of them comes later, and knows the old UUID. */
async function restoredBefore(
  client: Queryable,
  tenantNum: number,
  oldUuids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ old_id: string; new_id: string }>(
    'SELECT old_id, new_id FROM restored_events WHERE tenant_num = $1 AND old_id = ANY($2::uuid[])',
    [tenantNum, plainArray(oldUuids)],
  );
  return new Map(rows.map(({ old_id, new_id }) => [old_id, new_id]));
}

/** Forgets where events are whose new day is dropped too: those before this UUID. */
export async function forgetRestored(client: Queryable, beforeUuid: string): Promise<void> {
  await client.query('DELETE FROM restored_events WHERE new_id < $1', [beforeUuid]);
}

// Locked, so that an expunge comes before this or after all of it.
const FIND = `
  SELECT v.id, v.external_id, floor(extract(epoch FROM now()) * 1000)::float8 AS now_ms FROM kept_events v
   WHERE v.tenant_num = $1 AND v.id = ANY($2::uuid[]) AND v.expunged_at IS NULL
     AND EXISTS (
       SELECT 1 FROM kept_dead_letters a JOIN endpoints e ON e.num = a.endpoint_num AND e.deleted_at IS NULL
        WHERE a.event_id = v.id AND a.tenant_num = $1
          AND ($3::int[] IS NULL OR a.endpoint_num = ANY($3))
          AND ($4::text IS NULL OR ${REASON} = $4)
          AND ($5::uuid[] IS NULL OR (a.event_id, a.endpoint_num) IN (SELECT * FROM unnest($5::uuid[], $6::int[])))
     )
   ORDER BY v.id FOR UPDATE OF v`;

const ATTEMPT =
  'attempt, started_at, outcome, status, dns_ms, connect_ms, first_byte_ms, total_ms, detail, response_headers, response_body';

const RESTORE = `
  WITH moved AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS m(old_id, new_id, public_id)),
  taken AS (
    DELETE FROM kept_events v USING moved m WHERE v.id = m.old_id AND v.tenant_num = $1
    RETURNING m.new_id, m.public_id, v.type, v.subject, v.body
  ),
  letters AS (
    DELETE FROM kept_dead_letters d USING moved m WHERE d.event_id = m.old_id AND d.tenant_num = $1 RETURNING m.new_id, d.*
  ),
  -- What stands behind one of them in order waits for it under its new name.
  renamed AS (UPDATE paused_keys p SET event_id = m.new_id FROM moved m WHERE p.event_id = m.old_id),
  noted AS (
    INSERT INTO restored_events (tenant_num, old_id, new_id) SELECT $1, old_id, new_id FROM moved
    ON CONFLICT (tenant_num, old_id) DO UPDATE SET new_id = excluded.new_id
  ),
  stored AS (
    INSERT INTO events (id, tenant_num, type, subject, external_id, body) SELECT new_id, $1, type, subject, public_id, body FROM taken
  )
  INSERT INTO attempts (event_id, endpoint_num, tenant_num, decision, ${ATTEMPT})
  SELECT new_id, endpoint_num, tenant_num, ${DECISION.deadLetter}, ${ATTEMPT} FROM letters`;

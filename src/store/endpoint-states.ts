import type pg from 'pg';
import { NOTICE_CODES } from './codes.ts';
import type { LaneLease } from './lanes.ts';
import type { NumberedNotice } from './notices.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma.ts';

/** What the owner of an endpoint's lane saves of it. */
export interface EndpointState {
  readonly endpointNum: number;
  readonly lane: number;
  /** Plain JSON: `SavedGate` of `src/delivery/gate.ts`; null when nothing is held against the endpoint. */
  readonly gate: unknown;
  readonly closedUntilMs: number | null;
  /** As it was read. If somebody else has rewritten the row since, the gate there is left as it is. */
  readonly resets: number;
  /** What the tenant is to be told, in the order of the numbers. */
  readonly notices: readonly NumberedNotice[];
}

// A state is saved again if the answer to the first time was lost. So the row remembers, also if somebody else has rewritten the rest, up to
// which number notices were told under which lease: they are not told again.
const SAVE = `
  WITH held AS MATERIALIZED (
    SELECT l.lane, l.epoch FROM lanes l JOIN unnest($1::smallint[], $2::bigint[]) AS h(lane, epoch) USING (lane, epoch) ORDER BY l.lane FOR SHARE OF l
  ),
  told AS (
    INSERT INTO system_notices (kind, tenant_num, endpoint_num, detail)
    SELECT n.kind, n.tenant_num, n.endpoint_num, n.detail
      FROM unnest($9::smallint[], $10::int[], $11::int[], $12::jsonb[], $13::smallint[], $14::int[]) AS n(kind, tenant_num, endpoint_num, detail, lane, number)
      JOIN held h ON h.lane = n.lane
     WHERE NOT EXISTS (SELECT FROM endpoint_states s WHERE s.endpoint_num = n.endpoint_num AND s.told_epoch = h.epoch AND s.told >= n.number)
     ORDER BY n.number
  )
  INSERT INTO endpoint_states AS s (endpoint_num, gate, closed_until, resets, updated_at, told_epoch, told)
  SELECT g.endpoint_num, g.gate, to_timestamp(g.closed_until_ms / 1000), g.resets, now(), CASE WHEN g.told IS NOT NULL THEN h.epoch END, g.told
    FROM unnest($3::int[], $4::smallint[], $5::jsonb[], $6::float8[], $7::int[], $8::int[]) AS g(endpoint_num, lane, gate, closed_until_ms, resets, told)
    JOIN held h ON h.lane = g.lane
   ORDER BY g.endpoint_num
  ON CONFLICT (endpoint_num) DO UPDATE
     SET gate = CASE WHEN s.resets = EXCLUDED.resets THEN EXCLUDED.gate ELSE s.gate END,
         closed_until = CASE WHEN s.resets = EXCLUDED.resets THEN EXCLUDED.closed_until ELSE s.closed_until END,
         updated_at = now(), told_epoch = coalesce(EXCLUDED.told_epoch, s.told_epoch), told = coalesce(EXCLUDED.told, s.told)
   WHERE s.resets = EXCLUDED.resets OR EXCLUDED.told IS NOT NULL`;

/**
 * Saves states of endpoints, and writes the notices of what changed, in one statement. Those of lanes that the caller does not own any more
 * are ignored.
 */
export async function saveEndpointStates(
  pool: pg.Pool,
  leases: readonly LaneLease[],
  states: readonly EndpointState[],
): Promise<void> {
  const notices = states.flatMap((state) => state.notices.map((notice) => ({ ...notice, lane: state.lane })));
  await pool.query({
    name: 'save-endpoint-states',
    text: SAVE,
    values: [
      plainArray(leases.map((lease) => lease.lane)),
      plainArray(leases.map((lease) => lease.epoch)),
      plainArray(states.map((state) => state.endpointNum)),
      plainArray(states.map((state) => state.lane)),
      states.map((state) => (state.gate === null ? null : JSON.stringify(state.gate))),
      states.map((state) => state.closedUntilMs),
      plainArray(states.map((state) => state.resets)),
      states.map((state) => state.notices.at(-1)?.number ?? null),
      plainArray(notices.map(({ kind }) => NOTICE_CODES[kind])),
      plainArray(notices.map(({ tenantNum }) => tenantNum)),
      plainArray(notices.map(({ endpointNum }) => endpointNum)),
      notices.map(({ detail }) => JSON.stringify(detail)),
      plainArray(notices.map(({ lane }) => lane)),
      plainArray(notices.map(({ number }) => number)),
    ],
  });
}

/**
 * Rewrites what is saved of an endpoint, except for the tokens taken from its bucket: its rate limit holds whatever is forgiven. The owner of
 * its lane takes the new state over within about a second, because the endpoint's version rises too.
 * @param gate what `Gate.restore` is to start from; null: nothing is held against the endpoint
 */
export async function rewriteEndpointState(
  transaction: Pick<Transaction, '$executeRaw'>,
  endpointNum: number,
  gate: object | null,
): Promise<void> {
  const text = gate === null ? null : JSON.stringify(gate);
  await transaction.$executeRaw`
    INSERT INTO endpoint_states AS s (endpoint_num, gate, resets) VALUES (${endpointNum}, ${text}::jsonb, 1)
    ON CONFLICT (endpoint_num) DO UPDATE
       SET gate = CASE WHEN jsonb_typeof(s.gate->'bucket') = 'object'
                       THEN coalesce(EXCLUDED.gate, '{"breaker": null, "failingSinceMs": null}')
                            || jsonb_build_object('bucket', s.gate->'bucket' || '{"throttledUntilMs": null}')
                       ELSE EXCLUDED.gate END,
           closed_until = NULL, resets = s.resets + 1, updated_at = now()`;
  await transaction.$executeRaw`UPDATE endpoints SET version = version + 1 WHERE num = ${endpointNum}`;
}

/** How often the state of an endpoint was rewritten. */
export async function resetsOf(transaction: Pick<Transaction, '$queryRaw'>, endpointNum: number): Promise<number> {
  const rows = await transaction.$queryRaw<{ resets: number }[]>`
    SELECT resets FROM endpoint_states WHERE endpoint_num = ${endpointNum}`;
  return rows[0]?.resets ?? 0;
}

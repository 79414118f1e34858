import type pg from 'pg';
import type { MailboxModel } from '../../src/workers/fixtures/mailbox-model.ts';

const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;

const TABLES = {
  rows: `SELECT event_id, endpoint_num, lane, attempt, step, ${ms('due_at')} AS due_ms, parked, replay_num IS NOT NULL AS is_replay, order_key, seq::int
           FROM mailbox ORDER BY endpoint_num, event_id`,
  lanes: `SELECT lane, epoch::int, owner, ${ms('leased_until')} AS leased_until, crashes, ${ms('acquired_at')} AS acquired_at, ${ms('wake_at')} AS wake_at
            FROM lanes ORDER BY lane`,
  paused: `SELECT key FROM (SELECT endpoint_num || '/' || order_key AS key FROM paused_keys) p ORDER BY key COLLATE "C"`,
  endpoints: `SELECT e.num, e.enabled, e.version::int, s.gate, ${ms('s.closed_until')} AS closed_until
                FROM endpoints e LEFT JOIN endpoint_states s ON s.endpoint_num = e.num ORDER BY e.num`,
};

/** What Postgres has of the mailbox and its lanes, in one order; times in ms since 1970. */
export async function readTables(pool: pg.Pool): Promise<Record<keyof typeof TABLES, unknown[]>> {
  const results = (await pool.query(Object.values(TABLES).join(';'))) as unknown as pg.QueryResult[];
  const entries = Object.keys(TABLES).map((name, i) => [name, results[i]!.rows] as const);
  return Object.fromEntries(entries) as Record<keyof typeof TABLES, unknown[]>;
}

/** The same of the model. */
export function tablesOf(model: MailboxModel): Record<keyof typeof TABLES, unknown[]> {
  const rows = [...model.rows.values()].map((row) => ({
    event_id: row.eventUuid,
    endpoint_num: row.endpointNum,
    lane: row.lane,
    attempt: row.attempt,
    step: row.step,
    due_ms: row.dueAtMs,
    parked: row.parked,
    is_replay: row.isReplay,
    order_key: row.place?.key ?? null,
    seq: row.place?.seq ?? null,
  }));
  const lanes = [...model.lanes].map(([lane, row]) => ({
    lane,
    epoch: row.epoch,
    owner: row.owner,
    leased_until: row.leasedUntil,
    crashes: row.crashes,
    acquired_at: row.acquiredAt,
    wake_at: row.wakeAt,
  }));
  return {
    rows: rows.sort((a, b) => a.endpoint_num - b.endpoint_num || (a.event_id < b.event_id ? -1 : 1)),
    lanes: lanes.sort((a, b) => a.lane - b.lane),
    paused: [...model.paused].sort().map((key) => ({ key })),
    endpoints: [...model.endpoints.values()].map(({ num, enabled, version }) => ({
      num,
      enabled,
      version,
      gate: model.gates.get(num) ?? null,
      closed_until: model.closedUntil.get(num) || null,
    })),
  };
}

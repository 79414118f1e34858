import type pg from 'pg';
import { expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { SURVIVED_ANYWAY_MS, SURVIVED_MS } from '../../src/domain/suspicion.ts';
import { type AcquiredLane, LEASE_MS } from '../../src/store/lanes.ts';
import { PROMOTED_AT_ONCE } from '../../src/store/order.ts';
import { plainArray } from '../../src/store/plain-array.ts';
import { createPrisma } from '../../src/store/prisma.ts';
import { WHOLE_FROM } from '../../src/store/whole-days.ts';
import { createLaneStore } from '../../src/workers/create-lane-store.ts';
import { MailboxModel, type ModelEndpoint, type ModelRow } from '../../src/workers/fixtures/mailbox-model.ts';
import type { LaneStore } from '../../src/workers/lane-store.ts';
import { readTables, tablesOf } from './lane-tables.ts';
import { openPool } from './open-pool.ts';

const START_MS = 1_700_000_000_000;
/** Rows that a statement may scan, all lanes together: thousands, as it is. */
const MAX_SCANNED_ROWS = 12;
export const WORKERS = ['worker_1', 'worker_2', 'worker_3'] as const;
const SPANS = {
  leaseMs: LEASE_MS,
  survivedMs: SURVIVED_MS,
  survivedAnywayMs: SURVIVED_ANYWAY_MS,
  promotedAtOnce: PROMOTED_AT_ONCE,
};

export interface TwinEndpoint {
  readonly num: number;
  readonly lane: number;
  readonly tenantNum: number;
  /** 0: in no order. */
  readonly keys: number;
  readonly onDeadLetter: ModelEndpoint['onDeadLetter'];
}

/** Ms since 1970, in steps of a microsecond. */
export interface TwinClock {
  nowMs: number;
}

/** A lease, and whose it was. */
export interface Lease extends AcquiredLane {
  readonly owner: string;
}

/**
 * The tables and the model of them, side by side: each statement is made on both, one at a time, and what they answer and hold must be the same. Postgres's `now()` is a
 * clock that the test sets, so that times are the same to the millisecond; statements scan few rows, so that they are stopped.
 */
export class TableTwins {
  model!: MailboxModel;
  /** All rows that there were. */
  made: ModelRow[] = [];
  /** All leases that were given, by lane. */
  readonly given = new Map<number, Lease[]>();
  readonly #clock: TwinClock;
  /** Rows of each lane that the next statement may scan. */
  #scanLimit = MAX_SCANNED_ROWS;
  readonly pool: pg.Pool;
  readonly #stores: ReadonlyMap<string, LaneStore>;

  /** @param pool as `openWithClock` opens it with this clock */
  constructor(pool: pg.Pool, clock: TwinClock) {
    this.pool = pool;
    this.#clock = clock;
    const context = {
      workerPool: scanning(pool, () => this.#scanLimit),
      observe: { fetched: () => {}, attemptsSettled: () => {}, attemptsGivenUp: () => {}, deadLettered: () => {} },
      prisma: createPrisma(pool, 10_000),
    } as unknown as Context;
    const storeOf = (workerId: string) =>
      createLaneStore({ context, workerId, defaults: {} as never, announce: () => {} });
    this.#stores = new Map(WORKERS.map((id) => [id, storeOf(id)]));
  }

  async reset(endpoints: readonly TwinEndpoint[]): Promise<void> {
    this.model = new MailboxModel(() => this.nowMs, SPANS);
    this.model.maxScannedRows = MAX_SCANNED_ROWS;
    this.made = [];
    this.given.clear();
    for (const lane of new Set(endpoints.map(({ lane }) => lane))) this.model.addLane(lane);
    for (const { num, lane, keys, tenantNum, onDeadLetter } of endpoints)
      Object.assign(this.model.addEndpoint(num, lane, 1, keys), { tenantNum, onDeadLetter });
    await this.pool.query(EMPTY);
    const tenants = [...new Set(endpoints.map(({ tenantNum }) => tenantNum))];
    await this.pool.query(
      `INSERT INTO tenants (num, id, name) SELECT num, 'tenant_' || num, '' FROM unnest($1::int[]) num`,
      [tenants],
    );
    await this.pool.query(
      'INSERT INTO lanes (lane, acquired_at) SELECT lane, to_timestamp(0) FROM unnest($1::int[]) lane',
      [[...this.model.lanes.keys()]],
    );
    for (const { num, tenantNum, onDeadLetter } of endpoints)
      await this.pool.query(
        `INSERT INTO endpoints (num, id, tenant_num, url, on_dead_letter) VALUES ($1, 'ep_' || $1::int, $2, 'http://x/', $3)`,
        [num, tenantNum, onDeadLetter],
      );
    await this.pass(START_MS - this.nowMs);
  }

  /** Has the next statement scan a share of rows. */
  scanFor(lanes: number, inMemory: number): void {
    this.#scanLimit = Math.floor(MAX_SCANNED_ROWS / lanes) + inMemory;
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  async pass(ms: number): Promise<void> {
    this.#clock.nowMs += ms;
    await setClock(this.pool, this.#clock);
  }

  /**
   * Makes a statement on both.
   * @param plain what of an answer must be the same
   */
  async ask<T>(worker: string, make: (store: LaneStore) => Promise<T>, plain: (answer: T) => unknown): Promise<T> {
    const answer = await make(this.#stores.get(worker)!);
    const modelled = await make(this.model.storeOf(worker, async (_owner, _name, work) => work()));
    expect(plain(modelled), 'the answer of the model').toEqual(plain(answer));
    await this.compare();
    return answer;
  }

  async compare(): Promise<void> {
    expect(tablesOf(this.model), 'the tables of the model').toEqual(await readTables(this.pool));
  }
}

const NIL = '00000000-0000-0000-0000-000000000000';
const EMPTY = `
  DELETE FROM mailbox; DELETE FROM attempts; DELETE FROM paused_keys; DELETE FROM poisoned_deliveries; DELETE FROM lane_suspects; DELETE FROM workers;
  DELETE FROM lanes; DELETE FROM endpoint_states; DELETE FROM system_notices; DELETE FROM endpoints; DELETE FROM tenants`;

/** Opens a database of the caller's own so that its `now()` is what the clock says. Attempts may be of any day in the past. */
export async function openWithClock(databaseUrl: string, clock: TwinClock): Promise<pg.Pool> {
  const options = '-c search_path=clock,pg_catalog,public -c enable_seqscan=off -c jit=off';
  // The clock is a setting of the session. Whoever asks waits for it, though that is not in the types.
  const onConnect = (client: Pick<pg.ClientBase, 'query'>) => setClock(client, clock);
  const pool = openPool(databaseUrl, { max: 1, options, onConnect });
  await pool.query(`
    CREATE SCHEMA clock;
    CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS
      $$ SELECT to_timestamp(0) + current_setting('twins.now_us')::bigint * interval '1 microsecond' $$;`);
  const { rows } = await pool.query<{ first: string }>(`SELECT ${WHOLE_FROM} AS first`);
  await pool.query(
    `CREATE TABLE attempts_of_the_past PARTITION OF attempts FOR VALUES FROM ('${NIL}') TO ('${rows[0]!.first}')`,
  );
  return pool;
}

async function setClock(session: Pick<pg.ClientBase, 'query'>, { nowMs }: TwinClock): Promise<void> {
  await session.query(`SELECT set_config('twins.now_us', $1, false)`, [String(nowMs * 1_000)]);
}

interface Statement {
  readonly name?: string;
  readonly values: unknown[];
}

/** A pool whose statements scan so few of the due rows: how many they may is the last parameter of each. */
function scanning(pool: pg.Pool, scanLimit: () => number): pg.Pool {
  const limitOf = {
    'fetch-due': ([lanes]: unknown[]) => plainArray(String(lanes).split(',').map(scanLimit)),
    'park-endpoints': scanLimit,
  };
  const query = (statement: Statement, values?: unknown[]) => {
    const limit = limitOf[statement.name as keyof typeof limitOf];
    const changed = limit && { ...statement, values: [...statement.values.slice(0, -1), limit(statement.values)] };
    return pool.query((changed ?? statement) as never, values as never);
  };
  return Object.assign(Object.create(pool), { query }) as pg.Pool;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { readFlags, runCommand } from '../../src/cli/run-command.ts';
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts';
import { findSleepingLanes } from '../../src/store/lanes.ts';
import { fetchDue, nextDue, START } from '../../src/store/mailbox.ts';
import { promote } from '../../src/store/order.ts';
import { prepareDatabase } from '../../src/store/prepare-database.ts';

// What a lane's statements cost beside rows that wait for endpoints that are closed, and beside rows that stand behind others in order. Prints Markdown: docs/operations.md has what it printed last.

const STEPS = [0, 10_000, 100_000, 1_000_000];
const ROUNDS = 200;
const LIVE = 200;
const DEAD_ENDPOINTS = 1_000;

async function medianMs(work: () => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[ROUNDS >> 1]!.toFixed(2);
}

/** Rows of dead endpoints in the same lane: half of them parked, half behind others in order. */
async function addBacklog(pool: pg.Pool, rows: number): Promise<void> {
  if (rows <= 0) return;
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, parked, order_key, seq)
     SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN now() ELSE 'infinity' END, 2 + n % ${DEAD_ENDPOINTS}, 1, 0, true,
            CASE WHEN n % 2 = 1 THEN n % 100 END, CASE WHEN n % 2 = 1 THEN nextval('mailbox_seq') END
       FROM generate_series(1, $1::int) n`,
    [rows],
  );
}

async function prepare(pool: pg.Pool): Promise<void> {
  await pool.query(`INSERT INTO tenants (num, id, name) VALUES (1, 'bench', 'bench')`);
  await pool.query(
    `INSERT INTO endpoints (num, id, tenant_num, url) SELECT n, 'ep_' || n, 1, 'http://receiver.test/' FROM generate_series(1, ${1 + DEAD_ENDPOINTS}) n`,
  );
  await pool.query(
    `INSERT INTO endpoint_states (endpoint_num, closed_until) SELECT n, now() + interval '1 hour' FROM generate_series(2, ${1 + DEAD_ENDPOINTS}) n`,
  );
  await pool.query(
    `INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane) SELECT gen_random_uuid(), now(), 1, 1, 0 FROM generate_series(1, ${LIVE})`,
  );
}

const USAGE =
  'npm run bench:backlog     statements of a lane beside up to a million rows that wait; takes no arguments';

async function main(args: readonly string[]): Promise<number> {
  readFlags({ args });
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {}, settings: { fsync: 'off' } });
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  try {
    await prepareDatabase(postgres.url, 16);
    await prepare(pool);
    console.log(
      '| rows that wait | fetch of 200 due rows, ms | next due, ms | sweep, ms | promotion of 100 keys, ms |',
    );
    console.log('| --: | --: | --: | --: | --: |');
    let waiting = 0;
    const keys = Array.from({ length: 100 }, (_, key) => ({ endpointNum: 3, key }));
    for (const step of STEPS) {
      await addBacklog(pool, step - waiting);
      waiting = step;
      const cells = [
        await medianMs(() =>
          fetchDue(pool, [{ lane: 0, after: START, limit: 500 }], { endpoints: [], tenants: [], rows: [] }),
        ),
        await medianMs(() => nextDue(pool, [0])),
        await medianMs(() => findSleepingLanes(pool)),
        await medianMs(() => promote(pool, keys)),
      ];
      console.log(`| ${step.toLocaleString('en')} | ${cells.join(' | ')} |`);
    }
  } finally {
    await pool.end();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
  return 0;
}

process.exitCode = await runCommand(USAGE, process.argv.slice(2), main);

import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { schemaDiff } from '../support/schema-diff.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** What Prisma's schema cannot express and its engine does not see. A migration that adds to these adds a line here. */
const beyondPrisma = {
  partitionedTables: ['attempts', 'events'],
  partialIndexes: [
    'announcements_due_idx',
    'announcements_open_idx',
    'announcements_quiet_idx',
    'attempts_ended_idx',
    'endpoints_deleted_idx',
    'endpoints_there_idx',
    'endpoints_there_system_idx',
    'endpoints_uncancelled_idx',
    'endpoints_unemptied_idx',
    'endpoints_validation_idx',
    'events_tenant_num_external_id_idx',
    'mailbox_behind_idx',
    'mailbox_due_idx',
    'mailbox_order_idx',
    'mailbox_parked_class_idx',
    'mailbox_parked_idx',
    'mailbox_replay_idx',
    'rejected_messages_publish_idx',
    'rejected_messages_retry_idx',
    'replays_owed_ends_idx',
    'replays_unfinished_idx',
    'sources_name_idx',
  ],
  triggers: ['audit_log_append_only', 'endpoints_subscription_bytes'],
  functions: [
    'assert_all_claimed',
    'assert_routing_versions',
    'audit_id',
    'count_subscription_bytes',
    'order_key',
    'refuse_rewriting_history',
  ],
  tablesWithOptions: [
    'announcements',
    'endpoint_states',
    'expansions',
    'idempotency_keys_event_id_idx',
    'ingest_demand',
    'lanes',
    'mailbox',
    'source_states',
    'system_notices',
    'workers',
  ],
};

let database: TestDatabase;
let client: pg.Client;

beforeEach(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterEach(async () => {
  await client.end();
  await database.drop();
});

test('the migrations make what prisma/schema.prisma says', async () => {
  expect(await schemaDiff(database.url)).toBeNull();
});

test.each([
  ['a column that the schema does not know', 'ALTER TABLE tenants ADD COLUMN colour TEXT', '"colour"'],
  ['a column that is gone', 'ALTER TABLE attempts DROP COLUMN detail', '"detail"'],
  ['another type', 'ALTER TABLE endpoints ALTER COLUMN timeout_seconds TYPE BIGINT', '"timeout_seconds"'],
  ['a column that may be null', 'ALTER TABLE events ALTER COLUMN body DROP NOT NULL', '"body"'],
  ['another default', 'ALTER TABLE mailbox ALTER COLUMN attempt SET DEFAULT 1', '"attempt"'],
  ['an index that is gone', 'DROP INDEX api_keys_tenant_num_id_idx', '"api_keys_tenant_num_id_idx"'],
  [
    'a foreign key that is gone',
    'ALTER TABLE replays DROP CONSTRAINT replays_tenant_num_fkey',
    '"replays_tenant_num_fkey"',
  ],
  ['a table that the schema does not know', 'CREATE TABLE colours (id INTEGER PRIMARY KEY)', '"colours"'],
])('a drift is found: %s', async (_what, statement, mention) => {
  await client.query(statement);
  expect(await schemaDiff(database.url)).toContain(mention);
});

test('what Prisma cannot see is what is listed here', async () => {
  expect(await unseen()).toEqual(beyondPrisma);
});

async function unseen(): Promise<typeof beyondPrisma> {
  const names = async (query: string) =>
    (await client.query<{ name: string }>(query)).rows.map((row) => row.name).sort();
  const inPublic = `relnamespace = 'public'::regnamespace AND NOT relispartition`;
  return {
    partitionedTables: await names(`SELECT relname AS name FROM pg_class WHERE relkind = 'p' AND ${inPublic}`),
    partialIndexes: await names(
      `SELECT relname AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indpred IS NOT NULL AND ${inPublic}`,
    ),
    triggers: await names('SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal'),
    functions: await names(`SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace`),
    tablesWithOptions: await names(`SELECT relname AS name FROM pg_class WHERE reloptions IS NOT NULL AND ${inPublic}`),
  };
}

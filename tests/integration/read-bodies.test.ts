import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { newUuid } from '../../src/domain/ids.ts';
import { BodyCache } from '../../src/store/body-cache.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { readBodies } from '../../src/store/read-bodies.ts';
import { openPool } from '../support/open-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { databaseUrl, dropDatabase, onServer } from '../support/test-server.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, { max: 2 });
  await ensurePartitions(pool, Date.now());
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function store(bodies: readonly Buffer[]): Promise<readonly string[]> {
  const ids = bodies.map(() => newUuid(Date.now()));
  for (const [i, body] of bodies.entries()) {
    await pool.query(`INSERT INTO events (id, tenant_num, type, body) VALUES ($1, 1, 'a', $2)`, [ids[i], body]);
  }
  return ids;
}

const PLENTY = 1_000_000;

const TEXTS = [
  '{"a":1}',
  '\ufeff{"a":"\ufeff"}',
  '{"a":"zażółć – 漢字 – 🦔"}',
  '{"a":"\\u0000\\x41"}',
  '\\x7b7d',
  '',
].map((text) => Buffer.from(text));
const NO_TEXTS = [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from([0x7b, 0x00, 0x7d]), Buffer.from([0xed, 0xa0, 0x80])];

test.each([
  ['all are text', TEXTS],
  ['some are none, as after damage to the table', [...TEXTS, ...NO_TEXTS]],
])('bodies are read byte for byte where %s', async (_what, bodies) => {
  const ids = await store(bodies);
  const missing = newUuid(Date.now());
  const { bodies: read, left } = await readBodies(pool, new BodyCache(0), [...ids, missing], PLENTY);
  expect(left.size).toBe(0);
  expect([...read.keys()].sort()).toEqual([...ids].sort());
  expect(ids.map((id) => Buffer.from(read.get(id)!.body).toString('hex'))).toEqual(
    bodies.map((body) => body.toString('hex')),
  );
});

test('the oldest bodies are read that fit together, and one however large it is; the others are told apart from those that are gone', async () => {
  const ids = await store([500, 400, 300, 1].map((size) => Buffer.alloc(size, 'a')));
  const missing = newUuid(Date.now());
  const read = async (asked: readonly string[], maxBytes: number, cache = new BodyCache(0)) => {
    const { bodies, left } = await readBodies(pool, cache, [...asked, missing].reverse(), maxBytes);
    return { read: ids.filter((id) => bodies.has(id)), left: ids.filter((id) => left.has(id)), all: left.size };
  };
  expect(await read(ids, 900)).toEqual({ read: ids.slice(0, 2), left: ids.slice(2), all: 2 });
  expect(await read(ids, 1)).toEqual({ read: ids.slice(0, 1), left: ids.slice(1), all: 3 });
  expect(await read(ids.slice(1), 900.5)).toEqual({ read: ids.slice(1), left: [], all: 0 });
  const cache = new BodyCache(10_000);
  await read(ids.slice(0, 1), 1, cache);
  // What is in memory already takes no room.
  expect(await read(ids, 700, cache)).toEqual({ read: ids.slice(0, 3), left: ids.slice(3), all: 1 });
});

/** Where Postgres goes through the table in the order in which rows came. */
const AS_THEY_CAME = '-c enable_indexscan=off -c enable_bitmapscan=off -c enable_indexonlyscan=off';

test.each([
  ['as text', 'a'],
  ['as bytes', '\xff'],
])(
  'of a body that does not fit nothing is sent, and older ones go first in whatever order Postgres finds them: %s',
  async (_what, letter) => {
    const ids = Array.from({ length: 4 }, () => newUuid(Date.now()));
    const add = (id: string) =>
      pool.query(`INSERT INTO events (id, tenant_num, type, body) VALUES ($1, 1, 'a', $2)`, [
        id,
        Buffer.alloc(100, letter, 'latin1'),
      ]);
    for (const id of [...ids].reverse()) await add(id);
    const scanning = openPool(database.url, { max: 1, options: AS_THEY_CAME });
    const answers = vi.spyOn(scanning, 'query');
    try {
      const { bodies, left } = await readBodies(scanning, new BodyCache(0), ids, 200);
      expect([...bodies.keys()].sort()).toEqual(ids.slice(0, 2));
      expect([...left].sort()).toEqual(ids.slice(2));
      const { rows } = await (answers.mock.results.at(-1)!.value as Promise<pg.QueryResult>);
      expect(rows.filter(({ text, bytes }) => text !== null || bytes !== null).map(({ id }) => id)).toEqual(
        ids.slice(0, 2),
      );
    } finally {
      await scanning.end();
    }
  },
);

test('bodies are read byte for byte from a database of another encoding, whose letters may come back as others', async () => {
  const serverUrl = inject('serverUrl');
  const name = `posthorn_test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'EUC_JP' LOCALE 'C'`);
  const other = openPool(databaseUrl(serverUrl, name), { max: 1 });
  try {
    await other.query('CREATE TABLE events (id uuid, external_id text, body bytea, expunged_at timestamptz)');
    const bodies = ['{"a":"¦"}', '{}'].map((text) => Buffer.from(text));
    const ids = bodies.map(() => newUuid(Date.now()));
    for (const [i, body] of bodies.entries())
      await other.query('INSERT INTO events (id, body) VALUES ($1, $2)', [ids[i], body]);
    const { bodies: read } = await readBodies(other, new BodyCache(0), ids, PLENTY);
    expect(ids.map((id) => Buffer.from(read.get(id)!.body).toString())).toEqual(bodies.map(String));
  } finally {
    await other.end();
    await dropDatabase(serverUrl, name);
  }
});

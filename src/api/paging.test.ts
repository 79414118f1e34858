import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Cursors } from './cursor.ts';
import { pagingQuery, readPage } from './paging.ts';

const cursors = new Cursors(Buffer.alloc(32).toString('base64'));

test('following the pages sees every row once, in order, and the last page says that it is the last', async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 0, max: 30 }),
    fc.integer({ min: 1, max: 10 }),
    async (count, limit) => {
      const rows = Array.from({ length: count }, (_, i) => i);
      const fetch = async (after: string | undefined, size: number) => {
        const start = after === undefined ? 0 : Number(after) + 1;
        return rows.slice(start, start + size);
      };
      const seen: number[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await readPage(cursors, { limit, cursor }, ['list'], fetch, String);
        seen.push(...page.rows);
        cursor = page.next ?? undefined;
        pages++;
      } while (cursor !== undefined);
      expect(seen).toEqual(rows);
      expect(pages).toBe(Math.max(1, Math.ceil(count / limit)));
    },
  );
  await fc.assert(property);
});

test('a page has 50 rows when no limit is given', async () => {
  const fetch = async (_after: string | undefined, size: number) => Array.from({ length: size }, (_, i) => i);
  expect((await readPage(cursors, {}, [], fetch, String)).rows).toHaveLength(50);
});

test('a limit is a whole number from 1 to 250', () => {
  const query = z.object(pagingQuery);
  expect(query.parse({ limit: '250' })).toEqual({ limit: 250 });
  for (const limit of ['0', '251', '-1', '1.5', '', '01', 'x', '1e2'])
    expect(query.safeParse({ limit }).success).toBe(false);
});

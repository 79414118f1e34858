import { expect, test } from 'vitest';
import { checkServer, UnfitServerError } from './check-server.ts';
import type { Queryable } from './in-transaction.ts';

const checkOf = (number: number, version: string, schema: string | null = 'public') =>
  checkServer({
    query: async () => ({ rows: [{ number, version, schema, path: '"$user", public' }] }),
  } as unknown as Queryable);

test.each([
  [140_000, '14.0'],
  [180_004, '18.4'],
])('Postgres %s is new enough', (number, version) => expect(checkOf(number, version)).resolves.toBeUndefined());

test('an older one is refused, and told where to go', async () => {
  await expect(checkOf(130_023, '13.23')).rejects.toThrow(UnfitServerError);
  await expect(checkOf(130_023, '13.23')).rejects.toThrow(
    /Postgres 13\.23 is too old.*14 or later.*pg_upgrade.*Nothing was changed/,
  );
});

test('sessions that look elsewhere than Prisma are refused', async () => {
  await expect(checkOf(140_000, '14.0', 'posthorn')).rejects.toThrow(
    /"posthorn" first .*ALTER ROLE … SET search_path = public/,
  );
  await expect(checkOf(140_000, '14.0', null)).rejects.toThrow(/CREATE SCHEMA IF NOT EXISTS public/);
});

import { expect, test } from 'vitest';
import type { Context } from '../../context.ts';
import { FilterTrials } from '../filter-trials.ts';
import type { RouteRequest } from '../route.ts';
import { testFilter } from './filter-test.ts';

const filter = { data: { s: Array.from({ length: 18 }, (_, i) => ({ wildcard: `*aaaaaaaaa${i}b*` })) } };
const context = { trials: new FilterTrials(() => 0) } as Context;

function tried(tenantNum: number, s: string) {
  const event = { data: { s } };
  const body = { filter: JSON.stringify(filter), event };
  const request = { body, bodyText: JSON.stringify({ filter, event }), tenant: { num: tenantNum } };
  return testFilter.handle(request as unknown as RouteRequest<unknown, unknown, unknown>, context);
}

test('G4: trials that take long are put on the account of their tenant, and refused once it is spent', async () => {
  const long = 'a'.repeat(200_000);
  for (let i = 0; i < 2; i++) expect(await tried(1, long)).toMatchObject({ status: 200, body: { matched: false } });
  await expect(tried(1, long)).rejects.toMatchObject({ status: 429, code: 'too_many_trials', retryAfterSeconds: 1 });
  expect(await tried(1, 'a')).toMatchObject({ status: 200 });
  expect(await tried(2, long)).toMatchObject({ status: 200 });
});

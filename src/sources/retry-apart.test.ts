import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { retryApart } from './retry-apart.ts';

test('more than a tenant may send at once is tried in parts, and who may send nothing now holds up nobody', async () => {
  const done: string[] = [];
  const attempt = async (some: readonly string[]) => {
    if (some.includes('full')) throw new Refusal(429, 'rate_limited', 'Nothing was stored.');
    if (some.length > 2) throw new Refusal(413, 'over_burst', 'Nothing was stored.');
    done.push(...some);
  };
  const wanted = ['a', 'b', 'c', 'full', 'd', 'e', 'f'];
  expect(await retryApart(wanted, attempt)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('what is no fault of a tenant ends it', async () => {
  const away = async () => {
    throw new Refusal(503, 'unavailable', 'Nothing was stored.');
  };
  await expect(retryApart(['a', 'b'], away)).rejects.toMatchObject({ status: 503 });
});

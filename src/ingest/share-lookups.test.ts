import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { type LookupLimits, shareLookups } from './share-lookups.ts';

function rig(limits: Partial<LookupLimits> = {}) {
  const begun: { readonly asked: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  const find = shareLookups(
    (asked: readonly string[]) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      begun.push({ asked, end: (error) => (error === undefined ? resolve(asked) : reject(error)) });
      return promise;
    },
    { most: 10, mostWaiting: 100, patienceMs: 60_000, ...limits },
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { begun, find, turn };
}

test('what is asked while a lookup is under way goes into the next one, and one is under way at a time', async () => {
  const { begun, find, turn } = rig();
  const first = find(['a']);
  await turn();
  const others = [find(['b']), find(['c', 'd'])];
  await turn();
  expect(begun.map(({ asked }) => asked)).toEqual([['a']]);
  begun[0]!.end();
  expect(await first).toEqual(['a']);
  await turn();
  expect(begun.map(({ asked }) => asked)).toEqual([['a'], ['b', 'c', 'd']]);
  begun[1]!.end();
  expect(await Promise.all(others)).toEqual(Array(2).fill(['b', 'c', 'd']));
  const later = find(['e']);
  await turn();
  begun[2]!.end();
  expect(await later).toEqual(['e']);
});

test('a lookup that fails fails for those who share it, and the next one comes all the same', async () => {
  const { begun, find, turn } = rig();
  const failing = [find(['a']), find(['b'])].map((each) => each.catch((error: Error) => error.message));
  await turn();
  const next = find(['c']);
  begun[0]!.end(new Error('gone'));
  expect(await Promise.all(failing)).toEqual(['gone', 'gone']);
  await turn();
  begun[1]!.end();
  expect(await next).toEqual(['c']);
});

test('more than may be asked for at once is several lookups, in order', async () => {
  const { begun, find, turn } = rig({ most: 3 });
  const all = [find(['a', 'b']), find(['c', 'd']), find(['e', 'f', 'g', 'h'])];
  for (let i = 0; i < all.length; i++) {
    await turn();
    begun[i]!.end();
  }
  expect(await Promise.all(all)).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    ['e', 'f', 'g', 'h'],
  ]);
});

test('nothing is asked for those who no longer wait, and more than may wait is refused at once', async () => {
  const { begun, find, turn } = rig({ mostWaiting: 2, patienceMs: -1 });
  const late = find(['a']).catch((error: Refusal) => error.code);
  expect(await late).toBe('overloaded');
  expect(begun).toEqual([]);
  const patient = rig({ mostWaiting: 2 });
  const first = patient.find(['a', 'b', 'c']);
  await patient.turn();
  const second = patient.find(['d', 'e']);
  const refused = await patient.find(['f']).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Refusal);
  expect(refused).toMatchObject({ status: 503, retryAfterSeconds: 1 });
  patient.begun[0]!.end();
  await first;
  await turn();
  patient.begun[1]!.end();
  expect(await second).toEqual(['d', 'e']);
  const again = patient.find(['f']);
  await turn();
  patient.begun[2]!.end();
  expect(await again).toEqual(['f']);
});

import { expect, test } from 'vitest';
import { RoutingHolds } from './routing-holds.ts';

/** Holds of buckets of ten, and what was held and let go, in order. */
function rig({ isAway = false } = {}) {
  const seen: string[] = [];
  const hold = async (tenants: ReadonlySet<number>) => {
    if (isAway) throw new Error('no Postgres');
    const name = [...tenants].join();
    seen.push(`hold ${name}`);
    return () => void seen.push(`let go ${name}`);
  };
  return { seen, holds: new RoutingHolds(hold, (num) => num % 10) };
}

/** Work that says when it begins, and ends when it is told to. */
function work(seen: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const run = () => {
    seen.push(name);
    return promise;
  };
  return { run, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('work that comes while a round is under way waits for the next, which holds all tenants of it at once', async () => {
  const { seen, holds } = rig();
  const works = ['a', 'b', 'c'].map((name) => work(seen, name));
  const done = works.map(({ run }, i) => holds.during(new Set([i + 1]), run));
  await turn();
  expect(seen).toEqual(['hold 1', 'a']);
  works[0]!.end();
  await turn();
  expect(seen.slice(2)).toEqual(['let go 1', 'hold 2,3', 'b', 'c']);
  works[2]!.end();
  await turn();
  expect(seen).toHaveLength(6);
  works[1]!.end();
  expect(await Promise.all(done)).toEqual(['a', 'b', 'c']);
  await turn();
  expect(seen.slice(6)).toEqual(['let go 2,3']);
});

test('work that fails takes no other with it, and the tenants are let go', async () => {
  const { seen, holds } = rig();
  const [bad, good] = [work(seen, 'bad'), work(seen, 'good')];
  const first = holds.during(new Set([1]), bad.run);
  const second = holds.during(new Set([1]), good.run);
  bad.fail();
  good.end();
  await expect(first).rejects.toThrow('bad');
  expect(await second).toBe('good');
  await turn();
  expect(seen).toEqual(['hold 1', 'bad', 'let go 1', 'hold 1', 'good', 'let go 1']);
});

test('where nothing can be held, the work is done all the same', async () => {
  const { holds } = rig({ isAway: true });
  expect(await holds.during(new Set([1]), async () => 'done')).toBe('done');
});

test('a commit waits for nothing that the round holds which may be waiting for the commit', async () => {
  const { seen, holds } = rig();
  const one = work(seen, 'work');
  const done = holds.during(new Set([1]), one.run);
  (await holds.beside(new Set([1, 11])))();
  (await holds.beside(new Set([1, 2, 11, 12])))();
  one.end();
  await done;
  await turn();
  (await holds.beside(new Set([11])))();
  expect(seen).toEqual(['hold 1', 'hold 2,12', 'work', 'let go 2,12', 'let go 1', 'hold 11', 'let go 11']);
});

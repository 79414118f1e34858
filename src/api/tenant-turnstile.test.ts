import { expect, test } from 'vitest';
import { TenantTurnstile } from './tenant-turnstile.ts';

/** Scans by name that end when told, and the names of those that began, in order. */
function rig(bounds = { most: 3, mostOfTenant: 2, mostWaiting: 2 }) {
  const turns = new TenantTurnstile(bounds);
  const began: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const ask = (tenantNum: number, name: string, options?: { readonly isBegun: boolean }) => {
    const scan = Promise.withResolvers<string>();
    ends.set(name, scan);
    const begin = () => {
      began.push(name);
      return scan.promise;
    };
    return turns.take(tenantNum, begin, options);
  };
  const end = async (name: string) => {
    ends.get(name)!.resolve(name);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { began, ends, ask, end };
}

test('G4: scans of one tenant never take all places, however many it asks for', async () => {
  const { began, ask, end } = rig();
  for (const name of ['a1', 'a2', 'a3', 'a4']) void ask(1, name);
  void ask(2, 'b1');
  expect(began).toEqual(['a1', 'a2', 'b1']);
  await end('a1');
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3']);
});

test('G4: a place that falls free is the tenant’s whose turn is next', async () => {
  const { began, ask, end } = rig({ most: 2, mostOfTenant: 2, mostWaiting: 5 });
  for (const name of ['a1', 'a2', 'a3', 'a4']) void ask(1, name);
  for (const name of ['b1', 'b2']) void ask(2, name);
  void ask(3, 'c1');
  for (const name of ['a1', 'a2', 'b1', 'c1']) await end(name);
  expect(began).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4']);
});

test('past a bound a tenant is told to ask later, and nobody else is', async () => {
  const { began, ask, end } = rig();
  for (const name of ['a1', 'a2', 'a3', 'a4']) void ask(1, name);
  const refusal = { status: 429, code: 'too_many_scans', retryAfterSeconds: 1 };
  await expect(ask(1, 'a5')).rejects.toMatchObject(refusal);
  void ask(2, 'b1');
  expect(began).toContain('b1');
  await end('a1');
  void ask(1, 'a6');
  await end('a2');
  await end('a3');
  expect(began.slice(-2)).toEqual(['a4', 'a6']);
});

test('what goes on with what it began waits for its turn like any other, and is not turned away', async () => {
  const { began, ask, end } = rig();
  for (const name of ['a1', 'a2', 'a3', 'a4']) void ask(1, name);
  void ask(1, 'a1 goes on', { isBegun: true });
  for (const name of ['a1', 'a2', 'a3']) await end(name);
  expect(began).toEqual(['a1', 'a2', 'a3', 'a4', 'a1 goes on']);
});

test('a scan that fails gives its place back', async () => {
  const { began, ends, ask } = rig({ most: 1, mostOfTenant: 1, mostWaiting: 5 });
  const failing = ask(1, 'a1');
  void ask(2, 'b1');
  ends.get('a1')!.reject(new Error('away'));
  await expect(failing).rejects.toThrow('away');
  expect(began).toEqual(['a1', 'b1']);
});

import { expect, test } from 'vitest';
import type { TenantRef } from '../domain/caller.ts';
import type { RawEvent } from './accept.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import { lookAhead, lookUpOnce } from './look-ahead.ts';
import { readEvent } from './read-event.ts';

const rawOf = (value: unknown): RawEvent => ({ value, text: JSON.stringify(value) });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const submit = () => Promise.reject(new Error('not asked for'));

function rig(known: ReadonlyMap<string, TenantRef> = new Map()) {
  const asked: string[] = [];
  const begun: number[] = [];
  const lookups = new Map<string, PromiseWithResolvers<TenantRef | null>>();
  const recallTenant = (id: string) => {
    asked.push(id);
    const lookup = Promise.withResolvers<TenantRef | null>();
    lookups.set(id, lookup);
    return known.get(id) ?? lookup.promise;
  };
  const begin = (num: number) => void begun.push(num);
  return { asked, begun, lookups, dependencies: { ...acceptDependencies(submit, { recallTenant }) }, begin };
}

test('all tenants that events name are looked up at once, each once, and then what is said of their event types', async () => {
  const { asked, begun, lookups, dependencies, begin } = rig(new Map([['known', { num: 7, id: 'known' }]]));
  dependencies.types.rules.begin = begin;
  const mapped = readEvent({ type: 'a', data: 1, tenant_id: 'mapped' }, '{}');
  const events = [
    rawOf({ tenant_id: 'new' }),
    rawOf({ tenant_id: 'known' }),
    rawOf({ tenant_id: 'new' }),
    rawOf({ tenant_id: 5 }),
    rawOf(null),
    { ...rawOf({ tenant_id: 'not this' }), read: mapped },
  ];
  lookAhead(events, lookUpOnce(dependencies));
  expect(asked).toEqual(['new', 'known', 'mapped']);
  expect(begun).toEqual([7]);
  lookups.get('new')!.resolve({ num: 8, id: 'new' });
  lookups.get('mapped')!.reject(new Error('told to those who wait for it'));
  await turn();
  expect(begun).toEqual([7, 8]);
});

test('a tenant that is not there is looked up once for all events of a request that name it, and again for the next request', async () => {
  const { asked, lookups, dependencies } = rig();
  const { recallTenant } = lookUpOnce(dependencies);
  const found = [recallTenant('nobody'), recallTenant('nobody')];
  lookups.get('nobody')!.resolve(null);
  expect(await Promise.all(found)).toEqual([null, null]);
  expect(await recallTenant('nobody')).toBeNull();
  expect(asked).toEqual(['nobody']);
  void lookUpOnce(dependencies).recallTenant('nobody');
  expect(asked).toEqual(['nobody', 'nobody']);
});

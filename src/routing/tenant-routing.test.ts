import { expect, test } from 'vitest';
import { isReservedType, TenantRouting } from './tenant-routing.ts';

test('an endpoint gets an event once however many of its subscriptions match, endpoints in order', () => {
  const routing = new TenantRouting([
    { num: 1, subscriptions: [{ types: ['a.*', 'a.b'] }, { types: ['**'] }] },
    { num: 2, subscriptions: [{ types: ['b'] }] },
    { num: 3, subscriptions: [{ types: ['x', 'a.b'] }] },
  ]);
  expect(routing.match('a.b')).toEqual([1, 3]);
  expect(routing.match('b')).toEqual([1, 2]);
});

test('no subscription, and one without types, mean everything but the events of Posthorn itself', () => {
  const routing = new TenantRouting([
    { num: 1, subscriptions: [] },
    { num: 2, subscriptions: [{}] },
    { num: 3, subscriptions: [{ types: [] }] },
    { num: 4, subscriptions: [{ types: ['system.**'] }] },
  ]);
  expect(routing.match('a')).toEqual([1, 2, 3]);
  expect(routing.match('system.endpoint.disabled')).toEqual([4]);
});

test('answers stay right when more types came than are remembered', () => {
  const routing = new TenantRouting([{ num: 1, subscriptions: [{ types: ['t.5', 't.1500'] }] }]);
  for (let i = 0; i < 3_000; i++) expect(routing.match(`t.${i}`)).toEqual(i === 5 || i === 1_500 ? [1] : []);
  expect(routing.match('t.5')).toEqual([1]);
});

test('only system and what is below it is kept for Posthorn', () => {
  expect(['system', 'system.a', 'systematic', 'a.system', 'System'].map(isReservedType)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

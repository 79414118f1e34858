import { expect, test } from 'vitest';
import { type RoutedEndpoint, TenantIndex } from './tenant-index.ts';

function indexOf(endpoints: readonly RoutedEndpoint[]): TenantIndex {
  const index = new TenantIndex();
  for (const endpoint of endpoints) index.set(endpoint);
  return index;
}

const unread = () => {
  throw new Error('The event was read.');
};
const matchType = (index: TenantIndex, type: string) => index.match({ type, content: unread });
const match = (index: TenantIndex, event: { type: string; data?: unknown }) =>
  index.match({ type: event.type, content: () => event });

test('an endpoint gets an event once however many of its subscriptions match, endpoints in order', () => {
  const index = indexOf([
    { num: 3, subscriptions: [{ types: ['x', 'a.b'] }] },
    { num: 1, subscriptions: [{ types: ['a.*', 'a.b'] }, { types: ['**'] }] },
    { num: 2, subscriptions: [{ types: ['b'] }] },
  ]);
  expect(matchType(index, 'a.b')).toEqual([1, 3]);
  expect(matchType(index, 'b')).toEqual([1, 2]);
});

test('no subscription, and one without types, mean everything but the events of Posthorn itself', () => {
  const index = indexOf([
    { num: 1, subscriptions: [] },
    { num: 2, subscriptions: [{}] },
    { num: 3, subscriptions: [{ types: [] }] },
    { num: 4, subscriptions: [{ types: ['system.**'] }] },
    { num: 5, subscriptions: [{ types: ['system.endpoint.disabled'] }] },
  ]);
  expect(matchType(index, 'a')).toEqual([1, 2, 3]);
  expect(matchType(index, 'system.endpoint.disabled')).toEqual([4, 5]);
});

test('answers stay right when more types came than are remembered', () => {
  const index = indexOf([{ num: 1, subscriptions: [{ types: ['t.5', 't.1500'] }] }]);
  for (let i = 0; i < 3_000; i++) expect(matchType(index, `t.${i}`)).toEqual(i === 5 || i === 1_500 ? [1] : []);
  expect(matchType(index, 't.5')).toEqual([1]);
});

test('types and the filter of one subscription must both match; of several subscriptions one is enough', () => {
  const filter = JSON.stringify({ data: { amount: [{ numeric: ['>', 100] }] } });
  const index = indexOf([
    { num: 1, subscriptions: [{ types: ['payment.*'], filter }] },
    { num: 2, subscriptions: [{ filter }, { types: ['refund'] }] },
  ]);
  expect(match(index, { type: 'payment.captured', data: { amount: 101 } })).toEqual([1, 2]);
  expect(match(index, { type: 'payment.captured', data: { amount: 100 } })).toEqual([]);
  expect(match(index, { type: 'refund', data: {} })).toEqual([2]);
});

test('a filter without types does not bring the events of Posthorn itself; with their types it does', () => {
  const filter = JSON.stringify({ data: { endpoint: ['ep_1'] } });
  const index = indexOf([
    { num: 1, subscriptions: [{ filter }] },
    { num: 2, subscriptions: [{ types: ['system.**'], filter }] },
    { num: 3, subscriptions: [{ filter: '{"type":["system.endpoint.disabled"]}' }] },
  ]);
  expect(match(index, { type: 'system.endpoint.disabled', data: { endpoint: 'ep_1' } })).toEqual([2]);
});

test('an event is read only when some endpoint has a filter', () => {
  const index = indexOf([{ num: 1, subscriptions: [{ types: ['a'] }] }]);
  expect(matchType(index, 'a')).toEqual([1]);
  index.set({ num: 2, subscriptions: [{ filter: '{"type":["a"]}' }] });
  expect(() => matchType(index, 'a')).toThrow('was read');
  index.delete(2);
  expect(matchType(index, 'a')).toEqual([1]);
});

test('what an endpoint asked for before is forgotten when it is set anew, and all of it when it is deleted', () => {
  const index = indexOf([{ num: 1, subscriptions: [{ types: ['a'] }, { filter: '{"data":{"x":[1]}}' }] }]);
  index.set({ num: 1, subscriptions: [{ types: ['b'] }] });
  expect(matchType(index, 'a')).toEqual([]);
  expect(matchType(index, 'b')).toEqual([1]);
  index.delete(1);
  expect(matchType(index, 'b')).toEqual([]);
  expect(index.clauses).toBe(0);
});

test('a stored filter that cannot be read any more brings every event of its types, rather than none', () => {
  const index = indexOf([
    { num: 1, subscriptions: [{ types: ['a'], filter: '{"data":{"x":[{"of another time":1}]}}' }] },
  ]);
  expect(match(index, { type: 'a' })).toEqual([1]);
  expect(match(index, { type: 'b' })).toEqual([]);
});

test('of many patterns of types ** stands for nothing as well, at either end', () => {
  const names = Array.from({ length: 10 }, (_, i) => `type${i}`);
  const index = indexOf(
    names.flatMap((name, i) => [
      { num: i, subscriptions: [{ types: [`${name}.**`] }] },
      { num: 10 + i, subscriptions: [{ types: [`**.${name}`] }] },
      { num: 20 + i, subscriptions: [{ types: [`*.${name}.*`] }] },
    ]),
  );
  expect(matchType(index, 'type3')).toEqual([3, 13]);
  expect(matchType(index, 'type3.a')).toEqual([3]);
  expect(matchType(index, 'a.b.type4')).toEqual([14]);
  expect(matchType(index, 'a.type5.b')).toEqual([25]);
});

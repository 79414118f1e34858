import { expect, test } from 'vitest';
import type { Refusal } from '../domain/errors.ts';
import { refuseDeadFilters } from './refuse-dead-filters.ts';

function faultsOf(filters: readonly unknown[], before: readonly unknown[] = []) {
  const stored = (all: readonly unknown[]) => all.map((filter) => ({ filter: JSON.stringify(filter) }));
  try {
    refuseDeadFilters(stored(filters), stored(before));
    return [];
  } catch (error) {
    return (error as Refusal).faults;
  }
}

test.each([
  { amount: [{ numeric: ['>', 1] }] },
  { 'amount.value': [1] },
  { type: ['a'], amount: { value: [1] } },
  { state: [{ 'anything-but': ['x'] }] },
  { state: [{ exists: true }] },
  { state: ['x', null] },
  { $or: [{ a: [1] }, { b: [1] }] },
  { a: [1], $or: [{ data: { a: [1] } }, { subject: ['x'] }] },
  { detail: { $or: [{ a: [1] }, { b: [1] }] } },
  { '': [1] },
])('%j matches no event, and is refused', (filter) => {
  expect(faultsOf([{ data: { a: [1] } }, filter]).map(({ path }) => path)).toEqual(['subscriptions.1.filter']);
});

test.each([
  { data: { amount: [1] } },
  { 'data.amount': [1] },
  { subject: [{ prefix: 'vip/' }], metadata: { source: ['shop'] }, 'metadata.cloud_event.id': ['1'] },
  {
    id: ['a'],
    type: ['a'],
    version: ['1.0'],
    timestamp: [{ prefix: '2024' }],
    tenant_id: ['t'],
    correlation_id: ['c'],
  },
  { amount: [{ exists: false }] },
  { amount: [5, { exists: false }] },
  { $or: [{ amount: [1] }, { data: { amount: [1] } }] },
])('%j may match an event', (filter) => expect(faultsOf([filter])).toEqual([]));

test('what an endpoint has already stays, beside others too', () => {
  const dead = { amount: [1] };
  expect(faultsOf([dead, { data: { a: [1] } }], [dead])).toEqual([]);
  expect(faultsOf([dead, { amount: [2] }], [dead]).map(({ path }) => path)).toEqual(['subscriptions.1.filter']);
});

test('it is said what was probably meant', () => {
  expect(faultsOf([{ amount: [1] }])[0]!.message).toContain('did you mean "data.amount"?');
});

test('a filter that the endpoint has stays, in whatever order its names are sent', () => {
  expect(faultsOf([{ b: [1], a: { y: [1], x: [1] } }], [{ a: { x: [1], y: [1] }, b: [1] }])).toEqual([]);
});

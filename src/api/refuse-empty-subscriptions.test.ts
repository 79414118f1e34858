import { expect, test } from 'vitest';
import type { Refusal } from '../domain/errors.ts';
import type { Subscription } from '../routing/subscription-clauses.ts';
import { refuseEmptySubscriptions } from './refuse-empty-subscriptions.ts';

function faultsOf(wanted: readonly Subscription[], before: readonly Subscription[] = []) {
  try {
    refuseEmptySubscriptions(wanted, before);
    return [];
  } catch (error) {
    return (error as Refusal).faults.map(({ path }) => path);
  }
}

const some: readonly Subscription[] = [{ types: ['a'] }, { filter: '{"type":["a"]}' }];

test('a subscription with neither types nor a filter is refused: it would be to everything', () => {
  expect(faultsOf([...some, {}, {}])).toEqual(['subscriptions.2', 'subscriptions.3']);
  expect(faultsOf([{}], some)).toEqual(['subscriptions.0']);
});

test('one with either is taken, and none at all', () => {
  for (const wanted of [[], some]) expect(faultsOf(wanted)).toEqual([]);
});

test('one that the endpoint has already stays', () => {
  expect(faultsOf([{}, ...some], [{}])).toEqual([]);
});

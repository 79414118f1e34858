import { expect, test } from 'vitest';
import { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';

const NOW = Date.UTC(2026, 10, 26);

const deskWith = (num: number, known: Partial<Desk>) => Object.assign(new Desk(num, 0), { version: 3 }, known);

test('settings are read anew where they changed, where a secret has expired, and where a secret could not be opened', async () => {
  const list = [
    deskWith(1, {}),
    deskWith(2, { version: 2 }),
    deskWith(3, { refreshAtMs: NOW }),
    deskWith(4, { refreshAtMs: NOW + 1 }),
    deskWith(5, { problem: 'sealed with another key' }),
  ];
  const loaded: number[] = [];
  const failures: unknown[] = [];
  const desks = {
    list: Object.assign(list, { forgetIdle: () => {} }),
    passTime: () => {},
    loadTargets: async (stale: readonly Desk[]) => void loaded.push(...stale.map(({ num }) => num)),
  };
  const keeper = new EndpointKeeper({
    store: {
      saveEndpointStates: async () => {},
      targetVersions: async (nums) => new Map(nums.map((num) => [num, 3])),
    },
    desks: desks as unknown as Desks,
    leaseOf: () => undefined,
    nowMs: () => NOW,
    onFailure: (_what, error) => failures.push(error),
  });
  await keeper.refresh();
  expect([loaded, failures]).toEqual([[2, 3, 5], []]);
});

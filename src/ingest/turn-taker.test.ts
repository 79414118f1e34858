import { expect, test, vi } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import type { Verdict } from '../event-types/type-rules.ts';
import { type AcceptDependencies, acceptEvents } from './accept.ts';
import { acceptEach } from './accept-each.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { Unit, UnitResult } from './plan-group.ts';

const caller: Caller = { kind: 'tenant', actor: 'key', tenant: { num: 1, id: 'one' }, scopes: new Set() };
const good: Verdict = { rulesVersion: 1n, mode: 'enforce', faults: [] };
const events = Array.from({ length: 8 }, (_, i) => {
  const value = { type: 'a', id: `${i}`, data: i };
  return { value, text: JSON.stringify(value) };
});

/** How often others had the event loop, with checks that take as long each, by a clock that only they move. */
async function turnsWith(checkMs: number, isAtOnce: boolean, accept: (dependencies: AcceptDependencies) => unknown) {
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const units: Unit[] = [];
  let turns = 0;
  let pending: NodeJS.Immediate;
  const turn = () => {
    turns++;
    pending = setImmediate(turn);
  };
  pending = setImmediate(turn);
  const check = () => {
    nowMs += checkMs;
    return isAtOnce ? good : Promise.resolve(good);
  };
  const submit = async (unit: Unit): Promise<UnitResult> => {
    units.push(unit);
    return { kind: 'independent', items: unit.map(() => 'conflict') };
  };
  await accept(acceptDependencies(submit, { rules: { check } }));
  clearImmediate(pending);
  clock.mockRestore();
  return { turns, ids: units.flat().map(({ externalId }) => externalId) };
}

const ways = [
  [
    'a request',
    (dependencies: AcceptDependencies) =>
      acceptEvents(events, { isBatch: true, caller, idempotencyKey: undefined }, dependencies).catch(() => {}),
  ],
  [
    'a source',
    (dependencies: AcceptDependencies) =>
      acceptEach(
        events.map((raw) => ({ raw, caller, sourceKey: null })),
        dependencies,
      ),
  ],
] as const;

test.each(ways)('others have a turn while the events of %s are checked, and these stay in order', async (_, accept) => {
  const { turns, ids } = await turnsWith(10, false, accept);
  expect(turns).toBe(4);
  expect(ids).toEqual(events.map(({ value }) => value.id));
});

test.each(ways)('events of %s whose checks are quick or made at once wait for nobody', async (_, accept) => {
  expect((await turnsWith(2, false, accept)).turns).toBe(0);
  expect((await turnsWith(100, true, accept)).turns).toBe(0);
});

import { expect, test } from 'vitest';
import type { Caller } from '../domain/caller.ts';
import { eventIdOf, newUuid } from '../domain/ids.ts';
import { acceptEach } from './accept-each.ts';
import { acceptDependencies } from './fixtures/accept-dependencies.ts';
import type { Unit, UnitResult } from './plan-group.ts';
import { REUSED_ID } from './rejection.ts';

const caller: Caller = { kind: 'tenant', actor: 'key_1', tenant: { num: 7, id: 'acme' }, scopes: new Set() };

test('of messages of a source those with an id that Posthorn gave to an event are rejected, and the others taken', async () => {
  const [made, foreign] = [newUuid(Date.now()), newUuid(Date.now())];
  const asked: unknown[] = [];
  const submit = async (unit: Unit): Promise<UnitResult> => ({
    kind: 'independent',
    items: unit.map(({ publicId }) => ({ id: publicId, status: 'accepted', deliveries: 0 })),
  });
  const dependencies = acceptDependencies(submit, {
    findGeneratedIds: async (ids) => {
      asked.push(ids.map(({ tenantNum, uuid }) => [tenantNum, uuid]));
      return new Set([1]);
    },
  });
  const ids = ['own', eventIdOf(foreign), eventIdOf(made)];
  const events = ids.map((id) => {
    const value = { type: 'a', data: 1, id };
    return { raw: { value, text: JSON.stringify(value) }, caller, sourceKey: null };
  });
  expect(await acceptEach(events, dependencies)).toEqual([
    expect.objectContaining({ id: 'own', status: 'accepted' }),
    expect.objectContaining({ id: ids[1], status: 'accepted' }),
    REUSED_ID,
  ]);
  expect(asked).toEqual([
    [
      [7, foreign],
      [7, made],
    ],
  ]);
});

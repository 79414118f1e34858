import { expect, test } from 'vitest';
import { eventIdOf, newUuid } from '../domain/ids.ts';
import type { Caller } from '../domain/scope.ts';
import type { AcceptDependencies } from './accept.ts';
import { acceptEach } from './accept-each.ts';
import type { GroupCommit } from './group-commit.ts';
import { REUSED_ID } from './rejection.ts';

const caller: Caller = { kind: 'tenant', actor: 'key_1', tenant: { num: 7, id: 'acme' }, scopes: new Set() };

test('of messages of a source those with an id that Posthorn gave to an event are rejected, and the others taken', async () => {
  const [made, foreign] = [newUuid(Date.now()), newUuid(Date.now())];
  const asked: unknown[] = [];
  const dependencies: AcceptDependencies = {
    commits: {
      submit: async (unit: readonly { publicId: string }[]) => ({
        kind: 'loose',
        items: unit.map(({ publicId }) => ({ id: publicId, status: 'accepted', deliveries: 0 })),
      }),
    } as unknown as GroupCommit,
    findTenant: () => null,
    nowMs: () => 1_700_000_000_000,
    findMade: async (ids) => {
      asked.push(ids.map(({ tenantNum, uuid }) => [tenantNum, uuid]));
      return new Set([1]);
    },
    maxEventBytes: 1_000,
    types: {
      rules: {
        check: () => ({ rulesVersion: 0n, mode: 'off', faults: [] }) as const,
        isCurrent: async () => true,
        forget: () => {},
      },
      onMisfit: () => {},
      duringHold: (_, work) => work(),
    },
  };
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

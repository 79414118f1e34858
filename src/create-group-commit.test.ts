import { afterEach, expect, test } from 'vitest';
import type { Config } from './config/config.ts';
import { createGroupCommit, type GroupCommitParts } from './create-group-commit.ts';
import type { GroupCommit } from './ingest/group-commit.ts';
import { RoutingHolds } from './ingest/routing-holds.ts';
import type { PendingEvent } from './ingest/seal-event.ts';
import { LaneWaker } from './lane-waker.ts';

const UUID = '01890a5d-ac96-774b-bcce-b302099a8057';
const CONFIG = {
  LANES: 4,
  IDEMPOTENCY_HOURS: 24,
  INGEST_BUFFER_EVENTS: 100,
  INGEST_BUFFER_BYTES: 1_000_000,
  INGEST_DEADLINE_MS: 1_000,
} as Config;
const EVENT: PendingEvent = {
  uuid: UUID,
  publicId: 'evt_1',
  tenant: { num: 1, id: 'tenant_1' },
  type: 't',
  subject: null,
  externalId: null,
  body: Buffer.from('{}'),
  keys: [],
  bodyHash: '',
  content: () => null,
};

let commits: GroupCommit | undefined;

afterEach(() => commits?.stop());

/**
 * Commits an event for an endpoint of a lane that this process owns.
 * @param answers what becomes of each append, in turn
 * @returns what the owner of the lane is told, in order
 */
async function commit(answers: readonly ({ readonly code: string } | 'stored')[]): Promise<string[]> {
  const told: string[] = [];
  const left = [...answers];
  const append = async () => {
    const answer = left.shift()!;
    if (answer !== 'stored') throw Object.assign(new Error('refused'), answer);
    return { rows: [] };
  };
  const routing = {
    ...{ version: 1, types_version: 0, num: 7, order: 'none' },
    ...{ tenant_num: EVENT.tenant.num, endpoint_version: 1, is_large: false, subscriptions: '[{"types":["t"]}]' },
  };
  const commitPool = {
    options: {},
    totalCount: 1,
    connect: async () => ({ query: append, release: () => {} }),
  };
  const accessPool = { query: async () => ({ rows: [routing] }) };
  const waker = new LaneWaker({ ring: () => {}, call: () => {}, callBehind: () => null });
  waker.local = {
    wake: () => [],
    expect: (deliveries) => {
      told.push(`expect ${deliveries.length}`);
      return {
        endpoints: new Map(),
        arrived: () => {
          told.push('arrived');
          return { lanes: new Set(), events: new Set() };
        },
        missed: (mayBeStored) => void told.push(mayBeStored ? 'may be stored' : 'not stored'),
      };
    },
  };
  commits = createGroupCommit({
    config: CONFIG,
    observe: { commitFailed: () => {}, committed: () => {}, eventsAccepted: () => {} },
    clock: { nowMs: () => Date.UTC(2026, 10, 26) },
    bodies: { put: () => {} },
    waker,
    commitPool,
    accessPool,
    holds: new RoutingHolds(
      async () => () => {},
      (num) => num,
    ),
    expansionBell: { ring: () => {} },
  } as unknown as GroupCommitParts);
  await commits.submit([EVENT]).catch((error: unknown) => told.push((error as { code: string }).code));
  return told;
}

test('what Postgres refuses for its routing, or for being in another’s way, is known not to be stored, and is expected anew', async () => {
  const refused = [{ code: 'PH001', detail: '1' }, { code: '40P01' }, 'stored'] as const;
  expect(await commit(refused)).toEqual(['expect 1', 'not stored', 'expect 1', 'not stored', 'expect 1', 'arrived']);
});

test('of a commit that failed otherwise nobody knows whether it is stored', async () => {
  expect(await commit([{ code: '08006' }])).toEqual(['expect 1', 'may be stored', 'storage_unavailable']);
});

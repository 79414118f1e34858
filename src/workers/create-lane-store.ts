import type { Context } from '../context.ts';
import { loadCasts } from '../store/casts.ts';
import { disableEndpoint } from '../store/disable-endpoint.ts';
import { saveEndpointStates } from '../store/endpoint-states.ts';
import { endDeliveriesOfDroppedDays, giveUp } from '../store/give-up.ts';
import { acquireLanes, heartbeat, releaseLanes } from '../store/lanes.ts';
import { fetchDue, nextDue, stillWaiting } from '../store/mailbox.ts';
import { promote, promoteAll } from '../store/order.ts';
import { parkDeliveries, parkEndpoints, setBehind } from '../store/park.ts';
import { fetchParked, parkedEndpoints } from '../store/parked-rows.ts';
import { readBodies } from '../store/read-bodies.ts';
import { type SettledAttempt, settle } from '../store/settle.ts';
import { clearSuspects, putOnTrial, reviewSuspects } from '../store/suspects.ts';
import { loadTargets, type TargetDefaults, targetVersions } from '../store/targets.ts';
import { CastBooks } from './cast-books.ts';
import type { LaneStore } from './lane-store.ts';

export interface LaneStoreOptions {
  readonly context: Pick<Context, 'observe' | 'vault' | 'workerPool' | 'bodies' | 'prisma'>;
  readonly workerId: string;
  readonly defaults: TargetDefaults;
  /** Notices were written that are to be announced. */
  readonly announce: () => void;
}

/** What a lane's owner asks of Postgres, and what of it is observed and announced. */
export function createLaneStore(options: LaneStoreOptions): LaneStore {
  return { ...leases(options), ...reads(options), ...setAside(options), ...endpoints(options), ...attempts(options) };
}

type LeaseStore = Pick<
  LaneStore,
  'acquire' | 'heartbeat' | 'release' | 'reviewSuspects' | 'putOnTrial' | 'clearSuspects'
>;

function leases({ context: { workerPool: pool }, workerId: id }: LaneStoreOptions): LeaseStore {
  return {
    acquire: (lanes) => acquireLanes(pool, id, lanes),
    heartbeat: (leases) => heartbeat(pool, id, leases),
    release: (leases) => releaseLanes(pool, id, leases),
    reviewSuspects: (lanes) => reviewSuspects(pool, lanes),
    putOnTrial: (leases, deliveries) => putOnTrial(pool, leases, deliveries),
    clearSuspects: (leases, deliveries) => clearSuspects(pool, leases, deliveries),
  };
}

type ReadStore = Pick<
  LaneStore,
  'fetchDue' | 'fetchParked' | 'parkedEndpoints' | 'stillWaiting' | 'nextDue' | 'bodies'
>;

function reads({ context: { workerPool: pool, bodies, observe } }: LaneStoreOptions): ReadStore {
  return {
    fetchDue: async (fetches, excluded) => {
      const since = performance.now();
      const found = await fetchDue(pool, fetches, excluded);
      observe.fetched(performance.now() - since);
      return found;
    },
    fetchParked: (fetches, held) => fetchParked(pool, fetches, held),
    parkedEndpoints: (lanes) => parkedEndpoints(pool, lanes),
    stillWaiting: (rows) => stillWaiting(pool, rows),
    nextDue: (lanes) => nextDue(pool, lanes),
    bodies: (uuids, maxBytes) => readBodies(pool, bodies, uuids, maxBytes),
  };
}

type AsideStore = Pick<LaneStore, 'park' | 'parkEndpoints' | 'setBehind' | 'promote' | 'promoteAll'>;

function setAside({ context: { workerPool: pool } }: LaneStoreOptions): AsideStore {
  return {
    park: (leases, rows) => parkDeliveries(pool, leases, rows),
    parkEndpoints: (leases, nums, limit, after) => parkEndpoints(pool, leases, nums, limit, after),
    setBehind: (leases, rows) => setBehind(pool, leases, rows),
    promote: (keys) => promote(pool, keys),
    promoteAll: (nums) => promoteAll(pool, nums),
  };
}

type EndpointStore = Pick<LaneStore, 'targets' | 'targetVersions' | 'saveEndpointStates' | 'disableEndpoint'>;

function endpoints({ context, defaults, announce }: LaneStoreOptions): EndpointStore {
  const { workerPool: pool, vault, prisma } = context;
  const castBooks = new CastBooks((tenantNum) => loadCasts(pool, tenantNum));
  return {
    targets: async (nums) => castBooks.equip(await loadTargets(pool, vault, defaults, nums)),
    targetVersions: (nums) => targetVersions(pool, nums),
    saveEndpointStates: async (leases, states) => {
      await saveEndpointStates(pool, leases, states);
      if (states.some(({ notices }) => notices.length > 0)) announce();
    },
    disableEndpoint: async (num, reason, resets) => {
      const isDisabled = await disableEndpoint(prisma, num, reason, resets);
      if (isDisabled) announce();
      return isDisabled;
    },
  };
}

const isNoticed = ({ notice }: SettledAttempt) => notice !== null;

function attempts({
  context,
  announce,
}: LaneStoreOptions): Pick<LaneStore, 'settle' | 'giveUp' | 'endDeliveriesOfDroppedDays'> {
  const { workerPool: pool, observe } = context;
  return {
    settle: async (leases, attempts) => {
      const since = performance.now();
      const held = await settle(pool, leases, attempts);
      observe.attemptsSettled(attempts, held, performance.now() - since);
      if (attempts.some(isNoticed)) announce();
      return held;
    },
    giveUp: async (attempt, reason) => {
      observe.attemptsGivenUp(1);
      const given = await giveUp(pool, attempt, reason);
      if (given.isDeadLetter) observe.deadLettered();
      announce();
      return given;
    },
    endDeliveriesOfDroppedDays: async (attempts) => {
      await endDeliveriesOfDroppedDays(pool, attempts);
      observe.attemptsGivenUp(attempts.length);
    },
  };
}

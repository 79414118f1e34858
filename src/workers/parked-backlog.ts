import { CLASSES, type DeliveryClass, type DueDelivery, START } from '../store/mailbox.ts';
import type { ParkedFetch } from '../store/parked-rows.ts';
import type { Desk } from './desk.ts';
import { classOf } from './letter-queue.ts';
import type { Places, SendScheduler } from './send-scheduler.ts';

/** The most endpoints whose backlogs are read in one statement. */
const DESKS_PER_ROUND = 64;

/** The most rows of one endpoint and class that are read at once: the rest of memory is for others. */
const MAX_REFILL = 256;

export interface RefillOptions {
  readonly isServed: (desk: Desk) => boolean;
  /** In crowded mode, where a row is read only if a slot is free for it; else null. */
  readonly places: Places | null;
  readonly scheduler: Pick<SendScheduler, 'of'>;
  /** Postgres's clock. */
  readonly nowMs: number;
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
  /** `refilledAt` and `taken` of the desk before the read. */
  readonly turnBefore: number;
  readonly takenBefore: number;
}

/** Rows to read, by class. */
type Limits = ReadonlyMap<DeliveryClass, number>;

/** The rows of one desk, while slots are dealt. */
interface Deal {
  rows: number;
  readonly limits: Map<DeliveryClass, number>;
}

interface Refills {
  readonly refills: Refill[];
  /** Whether each desk that could send gets some. */
  readonly isAll: boolean;
}

/** The desks of one tenant that want more in a round. */
interface Waiting {
  readonly queue: Desk[];
  /** The turn that the tenant had last, or in which it came. */
  servedAt: number;
  /** The turn in which `queue` was filled. */
  seenAt: number;
}

/** Decides which parked backlogs are read next, and remembers whose turn it is. */
export class ParkedBacklog {
  /** Rises twice a round: before it, for desks that are new in it, and once more for the desks that are read. */
  #turn = 0;
  /** Tenants that wanted more in the last round, if not all desks could be read in it. */
  readonly #tenants = new Map<number, Waiting>();

  /** Whether any desk wants more of its parked backlog. This spends nobody's turn. */
  isWanted(desks: Iterable<Desk>, { isServed, nowMs }: Pick<RefillOptions, 'isServed' | 'nowMs'>): boolean {
    for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) return true;
    return false;
  }

  /** What to read now for desks that want more of their parked backlog. This spends the turns of those that get some. */
  refillsOf(desks: Iterable<Desk>, options: RefillOptions): Refills {
    const { isServed, places, nowMs } = options;
    const wanting: Desk[] = [];
    for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) wanting.push(desk);
    this.#turn++;
    // A desk that is new stands behind those that wait.
    for (const desk of wanting) desk.refilledAt ||= this.#turn;
    if (places !== null) {
      const able = wanting.filter((desk) => desk.isDeleted || desk.freeSendSlots(nowMs) > 0);
      const deals = dealOut(able, places, options);
      this.#turn++;
      return {
        refills: [...deals].flatMap(([desk, { limits }]) => this.#refillsFor(desk, limits)),
        isAll: deals.size === able.length,
      };
    }
    const next = this.#nextOf(wanting);
    this.#turn++;
    return { refills: next.flatMap((desk) => this.#refillsFor(desk, mostOfEach(desk))), isAll: true };
  }

  /**
   * The desks that are read at once: one of each tenant in turn, then the next of each. So no tenant waits for all endpoints of the others,
   * however many they have.
   */
  #nextOf(wanting: Desk[]): readonly Desk[] {
    if (wanting.length <= DESKS_PER_ROUND) {
      this.#tenants.clear();
      return wanting;
    }
    const tenants = this.#queuesOf(wanting)
      .sort((a, b) => a.servedAt - b.servedAt)
      .slice(0, DESKS_PER_ROUND);
    for (const tenant of tenants) {
      tenant.queue.sort(byTurn);
      tenant.servedAt = this.#turn + 1;
    }
    const next: Desk[] = [];
    for (let at = 0; next.length < DESKS_PER_ROUND; at++) {
      for (const { queue } of tenants) if (at < queue.length && next.length < DESKS_PER_ROUND) next.push(queue[at]!);
    }
    return next;
  }

  /** The desks by tenant. Tenants may be very many: each is noted once, and forgotten when it wants no more. */
  #queuesOf(wanting: readonly Desk[]): Waiting[] {
    const tenants: Waiting[] = [];
    for (const desk of wanting) {
      let tenant = this.#tenants.get(desk.tenantNum);
      if (tenant === undefined) {
        tenant = { queue: [], servedAt: this.#turn, seenAt: 0 };
        this.#tenants.set(desk.tenantNum, tenant);
      }
      if (tenant.seenAt !== this.#turn) {
        tenant.seenAt = this.#turn;
        tenant.queue.length = 0;
        tenants.push(tenant);
      }
      tenant.queue.push(desk);
    }
    if (this.#tenants.size > tenants.length)
      for (const [num, { seenAt }] of this.#tenants) if (seenAt !== this.#turn) this.#tenants.delete(num);
    return tenants;
  }

  #refillsFor(desk: Desk, limits: Limits): Refill[] {
    const before = { turnBefore: desk.refilledAt, takenBefore: desk.taken };
    desk.refilledAt = this.#turn;
    return [...limits].map(([kind, limit]) => {
      const { cursor: after, parkings } = desk.parked[kind];
      return { desk, parkings, ...before, fetch: { lane: desk.lane, endpointNum: desk.num, kind, after, limit } };
    });
  }
}

/** The desk that waits longest goes first. */
function byTurn(a: Desk, b: Desk): number {
  return a.refilledAt - b.refilledAt;
}

/**
 * Deals as many rows as there are slots for: one to each tenant in turn, and within a tenant one to each desk in turn. So a tenant that has
 * nothing under way does not wait for all endpoints of the others, however many they have. Rows of a deleted endpoint are only cancelled,
 * and need no slot.
 */
function dealOut(wanting: readonly Desk[], places: Places, { scheduler, nowMs }: RefillOptions): Map<Desk, Deal> {
  const deals = new Map<Desk, Deal>();
  let round = [...Map.groupBy(wanting, (desk) => desk.tenantNum)]
    .map(([num, desks]) => ({
      queue: desks.sort(byTurn),
      at: 0,
      slots: new Slots(places, num),
      turn: scheduler.of(num),
    }))
    .sort((a, b) => a.turn.inFlight - b.turn.inFlight || a.turn.last - b.turn.last);
  while (round.length > 0) round = round.filter((tenant) => dealToNext(tenant, deals, nowMs));
  return deals;
}

/** The desks of one tenant, while slots are dealt. */
interface Dealt {
  /** Desks whose turns are still to come, from `at` on. A desk that gets a row joins again at the end; one that can have none does not. */
  readonly queue: Desk[];
  at: number;
  readonly slots: Slots;
}

/** Deals one row to the next desk of a tenant that may have one. @returns false if none may */
function dealToNext(tenant: Dealt, deals: Map<Desk, Deal>, nowMs: number): boolean {
  while (tenant.at < tenant.queue.length) {
    const desk = tenant.queue[tenant.at++]!;
    const deal = deals.get(desk) ?? { rows: 0, limits: new Map() };
    const most = desk.isDeleted ? mostOf(desk) : Math.min(desk.freeSendSlots(nowMs), MAX_REFILL);
    const isFull = deal.rows === 0 ? deals.size >= DESKS_PER_ROUND : deal.rows >= most;
    if (isFull || !dealOne(desk, deal, tenant.slots)) continue;
    deals.set(desk, deal);
    tenant.queue.push(desk);
    return true;
  }
  return false;
}

/**
 * The slots that one tenant may take. They only become fewer: if a class found none, it is not asked for again, however many desks have it.
 */
class Slots {
  readonly #places: Places;
  readonly #tenantNum: number;
  readonly #spent = new Set<DeliveryClass>();

  constructor(places: Places, tenantNum: number) {
    this.#places = places;
    this.#tenantNum = tenantNum;
  }

  take(kind: DeliveryClass): boolean {
    if (this.#spent.has(kind)) return false;
    const isTaken = this.#places.take(this.#tenantNum, kind);
    if (!isTaken) this.#spent.add(kind);
    return isTaken;
  }
}

/**
 * Deals one row to a desk, of the class whose turn it is: so each class gets some of few slots in time. A class that may not begin leaves
 * its turn to the others.
 * @returns false if no class has a slot
 */
function dealOne(desk: Desk, deal: Deal, slots: Slots): boolean {
  const kind = desk.parkedClasses.next((each) => desk.hasOnlyParked(each) && (desk.isDeleted || slots.take(each)));
  if (kind === undefined) return false;
  deal.rows++;
  deal.limits.set(kind, (deal.limits.get(kind) ?? 0) + 1);
  return true;
}

/** How many rows of a desk are read at once: a few more than it can send at once. */
function mostOf(desk: Desk): number {
  return Math.min(2 * Math.max(1, desk.maxUsefulInFlight), MAX_REFILL);
}

function mostOfEach(desk: Desk): Limits {
  const most = mostOf(desk);
  // Retries and replays have half of the room that first attempts have (`Admission`).
  const mostOfClass = (kind: DeliveryClass) => (kind === 'first' ? most : Math.ceil(most / 2));
  return new Map(CLASSES.filter(desk.hasOnlyParked).map((kind) => [kind, mostOfClass(kind)]));
}

/** Gives the desk its turn back if none of its rows was admitted: it then goes before those that had one. Called for every refill. */
export function returnUnusedTurn({ desk, turnBefore, takenBefore }: Refill): void {
  if (desk.taken === takenBefore) desk.refilledAt = turnBefore;
}

/** All rows of the refills were admitted: moves the desk's place in its parked backlog. */
export function onRefillAdmitted({ desk, fetch, parkings }: Refill, rows: readonly DueDelivery[]): void {
  const part = desk.parked[fetch.kind];
  // Rows were parked while this read was under way: it shows nothing of them.
  if (part.parkings !== parkings) return;
  const ours = rows.filter((row) => row.endpointNum === desk.num && classOf(row) === fetch.kind);
  const isWhole = ours.length < fetch.limit;
  // A read that began at the start and came to the end has seen every parked row of its class: all are in memory now.
  if (isWhole && fetch.after === START) part.hasRows = false;
  part.cursor = isWhole ? START : (ours.at(-1) ?? START);
}

import { CLASSES, type DeliveryClass, type DueDelivery, START } from '../store/mailbox.ts';
import type { ParkedFetch } from '../store/parked-rows.ts';
import type { Desk } from './desk.ts';
import { classOf } from './letter-queue.ts';
import type { Places, SendScheduler } from './send-scheduler.ts';

/** Endpoints whose backlog is read in one statement. */
const DESKS_PER_ROUND = 64;

/** Rows of one endpoint, and class, that are read at once at the most: the rest of memory is for others. */
const MAX_REFILL = 256;

export interface RefillOptions {
  readonly isServed: (desk: Desk) => boolean;
  /** Where rows come only as slots are free for them; null otherwise. */
  readonly places: Places | null;
  readonly scheduler: Pick<SendScheduler, 'of'>;
  /** Postgres's clock. */
  readonly nowMs: number;
}

export interface Refill {
  readonly desk: Desk;
  readonly fetch: ParkedFetch;
  readonly parkings: number;
  /** Its desk's `refilledAt` and `taken` before. */
  readonly turnBefore: number;
  readonly takenBefore: number;
}

/** Rows to read, by class. */
type Limits = ReadonlyMap<DeliveryClass, number>;

/** Those of one desk, while slots are dealt out. */
interface Deal {
  rows: number;
  readonly limits: Map<DeliveryClass, number>;
}

interface Refills {
  readonly refills: Refill[];
  /** Whether each of those that want more gets some. */
  readonly isAll: boolean;
}

/** What a tenant wants in a round. */
interface Waiting {
  readonly queue: Desk[];
  /** When it had its last turn, or came. */
  servedAt: number;
  /** The round that this is of. */
  seenAt: number;
}

/** Decides what is read of parked backlogs: it remembers whose turn is next. */
export class ParkedBacklog {
  /** Rises with each round: before it for those that are new in it, and after it for those that are read. */
  #turn = 0;
  /** Tenants that wanted more in the last round, where not all that was wanted could be read. */
  readonly #tenants = new Map<number, Waiting>();

  /** Whether any of them wants more of its parked backlog. Nobody's turn is spent by that. */
  isWanted(desks: Iterable<Desk>, { isServed, nowMs }: Pick<RefillOptions, 'isServed' | 'nowMs'>): boolean {
    for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) return true;
    return false;
  }

  /** What to read now for desks that want more of their parked backlog, in turn, beside what they have in memory. */
  refillsOf(desks: Iterable<Desk>, options: RefillOptions): Refills {
    const { isServed, places, nowMs } = options;
    const wanting: Desk[] = [];
    for (const desk of desks) if (desk.wantsParked(nowMs) && isServed(desk)) wanting.push(desk);
    this.#turn++;
    // Who is new stands behind those that wait.
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

  /** As many as are read at once: one of each tenant in turn, then the next one of each. However many endpoints others have, a tenant does not wait for the turns of all of them. */
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

  /** By tenant. There may be very many: what is known of them is made once, and forgotten when they want no more. */
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

/** Who waits longest goes first. */
function byTurn(a: Desk, b: Desk): number {
  return a.refilledAt - b.refilledAt;
}

/**
 * As many rows as there are slots for: one for each tenant in turn, and within a tenant one for each desk in turn. However many endpoints others have, a tenant
 * that has nothing under way does not wait for the turns of all of them. What waits for a deleted endpoint is only cancelled, and needs no slot.
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

/** Desks of one tenant, while slots are dealt out. */
interface Dealt {
  /** Whose turns are still to come from `at` on: who gets a row stands again at the end, who can have none does not. */
  readonly queue: Desk[];
  at: number;
  readonly slots: Slots;
}

/** A desk that may have no row now leaves its turn to the next one of its tenant. @returns whether there was a row for any */
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

/** What one tenant may take. There is ever less of it: a class that found no slot is not asked for again, however many desks have it. */
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

/** Where slots are few, each class gets some of them in time. One that may not begin leaves its turn to the others. @returns whether there is a slot for any of them */
function dealOne(desk: Desk, deal: Deal, slots: Slots): boolean {
  const kind = desk.parkedClasses.next((each) => desk.hasOnlyParked(each) && (desk.isDeleted || slots.take(each)));
  if (kind === undefined) return false;
  deal.rows++;
  deal.limits.set(kind, (deal.limits.get(kind) ?? 0) + 1);
  return true;
}

/** A few rows more than it can send at once. */
function mostOf(desk: Desk): number {
  return Math.min(2 * Math.max(1, desk.maxUsefulInFlight), MAX_REFILL);
}

function mostOfEach(desk: Desk): Limits {
  const most = mostOf(desk);
  // Retries and replays have half of the room that first attempts have (`Admission`).
  const mostOfClass = (kind: DeliveryClass) => (kind === 'first' ? most : Math.ceil(most / 2));
  return new Map(CLASSES.filter(desk.hasOnlyParked).map((kind) => [kind, mostOfClass(kind)]));
}

/** Of what was read there was no room for any: that was no turn, and it goes before those that had one. */
export function returnUnusedTurn({ desk, turnBefore, takenBefore }: Refill): void {
  if (desk.taken === takenBefore) desk.refilledAt = turnBefore;
}

/** Takes note of what a refill brought. */
export function onRefillAdmitted({ desk, fetch, parkings }: Refill, rows: readonly DueDelivery[]): void {
  const part = desk.parked[fetch.kind];
  // Something was parked while we read: what was read says nothing about it.
  if (part.parkings !== parkings) return;
  const ours = rows.filter((row) => row.endpointNum === desk.num && classOf(row) === fetch.kind);
  const isWhole = ours.length < fetch.limit;
  // A read that began at the start and came to the end has seen every parked row of its class: all of them are in memory now.
  if (isWhole && fetch.after === START) part.hasRows = false;
  part.cursor = isWhole ? START : (ours.at(-1) ?? START);
}

import { KeptMap } from '../accounts/kept-map.ts';
import { CLASSES, type DeliveryClass } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import { Reserve } from './reserve.ts';

/**
 * How many of the free slots one party may have for each that it has: alone it gets `n / (n + 1)` of all, and the rest is there at once for
 * whoever comes next ("dynamic threshold" of Choudhury and Hahne, for shared buffers).
 */
const SHARES = { tenant: 3, retry: 2, replay: 1 } as const;

/**
 * Slots that are left to tenants with few requests under way, as a share of all: where slow receivers are of very many tenants, no tenant has
 * more than its share, and together they would take the last slot all the same.
 */
const RESERVE_SHARE = 1 / 16;
/** For how long slots count as short after they were last short, in ms: each request that ends makes room for a moment. */
const SHORT_MS = 1_000;
/** Where requests take less than this on average, in ms, all slots are given out: the next one is free in a moment. */
const FAST_MS = 100;

/** Deals the free slots to rows that are about to come into memory. */
export interface Places {
  /**
   * @returns whether one more of this tenant, and class where that is known, could be sent as things are now; then its slot is counted as
   * taken
   */
  take(tenantNum: number, kind?: DeliveryClass): boolean;
}

/** The desks of one tenant that wait for their turn, and its requests under way. */
export interface TenantQueue {
  /** Desks that may have something to send, in the order of their turns. */
  readonly desks: Desk[];
  /** Requests under way. */
  inFlight: number;
  /** The number of its last request, where all requests of the process are counted; 0 without any. */
  last: number;
}

/**
 * Who sends next: tenants in turn, and the desks of one tenant in turn, within a share of the process's slots for each tenant, for retries
 * and for replays. A tenant whose receivers are all slow cannot take every slot, because each one that it takes makes its share smaller.
 */
export class SendScheduler {
  readonly #slots: number;
  readonly #reserve: Reserve;
  /** Tenants whose desks may have something to send, in the order of their turns. */
  readonly #ready: TenantQueue[] = [];
  readonly #tenants = new KeptMap<TenantQueue>(
    () => ({ desks: [], inFlight: 0, last: 0 }),
    ({ desks, inFlight }) => desks.length === 0 && inFlight === 0,
  );
  readonly #ofClass: Record<DeliveryClass, number> = { first: 0, retry: 0, replay: 0 };
  #inFlight = 0;
  /** Tenants that have requests under way. */
  #busy = 0;
  /** The tenant of the desk that `next` returned last. */
  #served: TenantQueue | null = null;
  #begun = 0;
  #keepsReserve = true;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #finishedBefore = 0;
  #shortAt = Number.NEGATIVE_INFINITY;
  /** Requests that have ended so far. */
  finished = 0;

  /** @param slots requests that may be under way at once */
  constructor(slots: number) {
    this.#slots = slots;
    this.#reserve = new Reserve(slots, RESERVE_SHARE);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  add(desk: Desk): void {
    if (desk.queuedIn !== null) return;
    const tenant = this.#tenants.of(desk.tenantNum);
    desk.queuedIn = tenant;
    if (tenant.desks.push(desk) === 1) this.#ready.push(tenant);
  }

  delete(desk: Desk): void {
    const tenant = desk.queuedIn;
    if (tenant === null) return;
    desk.queuedIn = null;
    tenant.desks.splice(tenant.desks.indexOf(desk), 1);
    if (tenant.desks.length === 0) this.#ready.splice(this.#ready.indexOf(tenant), 1);
  }

  /** The desk whose turn it is, which leaves the queue; undefined when none may send. */
  next(): Desk | undefined {
    if (this.#inFlight >= this.#slots) return undefined;
    for (let i = 0; i < this.#ready.length; i++) {
      const tenant = this.#ready[i]!;
      if (!this.#hasSlot(tenant)) continue;
      const desk = tenant.desks.shift()!;
      desk.queuedIn = null;
      this.#served = tenant;
      if (i === 0) this.#ready.shift();
      else this.#ready.splice(i, 1);
      // Its tenant's next turn comes after those of the others.
      if (tenant.desks.length > 0) this.#ready.push(tenant);
      return desk;
    }
    return undefined;
  }

  /** Whether something that waits at this desk may be sent now, as far as slots go. */
  hasSlotFor({ tenantNum, waiting }: Desk): boolean {
    const tenant = this.#tenants.of(tenantNum);
    if (!this.#hasSlot(tenant)) return false;
    for (const kind of CLASSES) if (waiting.lengthOf(kind) > 0 && this.#mayBegin(kind, tenant)) return true;
    return false;
  }

  #hasSlot({ inFlight }: TenantQueue): boolean {
    return this.#mayHaveMore(inFlight, this.#free);
  }

  get #free(): number {
    return this.#slots - this.#inFlight;
  }

  #mayHaveMore(inFlight: number, free: number): boolean {
    if (free > (this.#keepsReserve ? this.#reserve.size : 0) && inFlight < SHARES.tenant * free) return true;
    return this.#comesFirst(inFlight, free);
  }

  /** Whether a tenant has so few requests under way that it may take from the reserve. */
  #comesFirst(inFlight: number, free: number): boolean {
    return this.#reserve.isFor(inFlight, free, this.#busy);
  }

  /** To be called every few ms. */
  look(now: number): void {
    const windowMs = now - this.#lookedAt;
    if (windowMs < FAST_MS) return;
    const isFast = (this.finished - this.#finishedBefore) * FAST_MS >= this.#inFlight * windowMs;
    this.#keepsReserve = this.#free > this.#reserve.size || !isFast;
    if (this.#free <= (this.#keepsReserve ? this.#reserve.size : 0)) this.#shortAt = now;
    this.#lookedAt = now;
    this.#finishedBefore = this.finished;
  }

  /**
   * Whether all slots that are given out were taken of late, which no tenant can bring about alone.
   * @param now in ms of `performance.now()`
   */
  areShort(now: number): boolean {
    return now - this.#shortAt < SHORT_MS;
  }

  /** Whether there is a slot for one more of this class and tenant. */
  hasSlotOf(tenantNum: number, kind: DeliveryClass): boolean {
    const tenant = this.#tenants.of(tenantNum);
    return this.#hasSlot(tenant) && this.#mayBegin(kind, tenant);
  }

  /** The slots that are free now, less those that the desks waiting for their turn will take. */
  places(): Places {
    const taken = new Map<number, number>();
    const ofClass = { first: 0, retry: 0, replay: 0 };
    let all = 0;
    return {
      take: (tenantNum, kind = 'first') => {
        const tenant = this.#tenants.of(tenantNum);
        const theirs = taken.get(tenantNum) ?? waitingAt(tenant.desks);
        if (!taken.has(tenantNum)) all += this.#takenBy(tenant.inFlight, theirs, this.#free - all);
        const [inFlight, free] = [tenant.inFlight + theirs, this.#free - all];
        const isTaken = this.#mayHaveMore(inFlight, free) && this.#mayBeginOf(kind, inFlight, free, ofClass[kind]);
        taken.set(tenantNum, theirs + Number(isTaken));
        ofClass[kind] += Number(isTaken);
        all += Number(isTaken);
        return isTaken;
      },
    };
  }

  /**
   * How many of the rows that wait for a tenant's turn will find a slot. None if the tenant has its share: its rows then keep no slot from
   * others.
   */
  #takenBy(inFlight: number, waiting: number, free: number): number {
    let taken = 0;
    while (taken < waiting && this.#mayHaveMore(inFlight + taken, free - taken)) taken++;
    return taken;
  }

  /** What a tenant has under way, and when it had its last turn. */
  of(tenantNum: number): Pick<Readonly<TenantQueue>, 'inFlight' | 'last'> {
    return this.#tenants.of(tenantNum);
  }

  /** Whether a request of this class may begin now for the desk that `next` returned last. */
  mayBegin = (kind: DeliveryClass): boolean => {
    return this.#mayBegin(kind, this.#served);
  };

  #mayBegin(kind: DeliveryClass, tenant: TenantQueue | null): boolean {
    return this.#mayBeginOf(kind, tenant?.inFlight ?? Number.POSITIVE_INFINITY, this.#free, 0);
  }

  /**
   * A tenant with few requests under way does not wait for the retries of others, as long as half of the reserve is left for first attempts.
   * @param more requests of this class that are about to begin
   */
  #mayBeginOf(kind: DeliveryClass, inFlight: number, free: number, more: number): boolean {
    if (kind === 'first' || this.#ofClass[kind] + more < SHARES[kind] * free) return true;
    return free > this.#reserve.size / 2 && this.#comesFirst(inFlight, free);
  }

  began(desk: Desk, kind: DeliveryClass): void {
    this.#inFlight++;
    this.#ofClass[kind]++;
    const tenant = this.#tenants.of(desk.tenantNum);
    tenant.last = ++this.#begun;
    if (++tenant.inFlight === 1) this.#busy++;
  }

  ended(desk: Desk, kind: DeliveryClass): void {
    this.finished++;
    this.#inFlight--;
    this.#ofClass[kind]--;
    if (--this.#tenants.of(desk.tenantNum).inFlight === 0) this.#busy--;
  }
}

function waitingAt(desks: readonly Desk[]): number {
  let rows = 0;
  for (const { waiting } of desks) rows += waiting.length;
  return rows;
}

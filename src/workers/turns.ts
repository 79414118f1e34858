import type { Desk } from './desk.ts';
import { KeptMap } from './kept-map.ts';
import type { LetterClass } from './letter-queue.ts';

/**
 * How many of the free slots one party may have for each that it has: alone it gets `n / (n + 1)` of all, and the rest is there at once for
 * whoever comes next ("dynamic threshold" of Choudhury and Hahne, for shared buffers).
 */
const SHARES = { tenant: 3, retry: 2, replay: 1 } as const;

/** What a tenant has in these turns. */
export interface TenantTurns {
  /** Those that may have something to send, in the order of their turns. */
  readonly desks: Desk[];
  /** Requests under way. */
  inFlight: number;
}

/**
 * Who sends next: tenants in turn, and the desks of one tenant in turn, within a share of the process's slots for each tenant, for retries
 * and for replays. A tenant whose receivers are all slow cannot take every slot, because each one that it takes makes its share smaller.
 */
export class Turns {
  readonly #slots: number;
  /** Tenants whose desks may have something to send, in the order of their turns. */
  readonly #ready: TenantTurns[] = [];
  readonly #tenants = new KeptMap<TenantTurns>(
    () => ({ desks: [], inFlight: 0 }),
    ({ desks, inFlight }) => desks.length === 0 && inFlight === 0,
  );
  readonly #ofClass: Record<LetterClass, number> = { first: 0, retry: 0, replay: 0 };
  #inFlight = 0;

  /** @param slots requests that may be under way at once */
  constructor(slots: number) {
    this.#slots = slots;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  add(desk: Desk): void {
    if (desk.turns !== null) return;
    const tenant = this.#tenants.of(desk.tenantNum);
    desk.turns = tenant;
    if (tenant.desks.push(desk) === 1) this.#ready.push(tenant);
  }

  delete(desk: Desk): void {
    const tenant = desk.turns;
    if (tenant === null) return;
    desk.turns = null;
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
      desk.turns = null;
      if (i === 0) this.#ready.shift();
      else this.#ready.splice(i, 1);
      // Its tenant's next turn comes after those of the others.
      if (tenant.desks.length > 0) this.#ready.push(tenant);
      return desk;
    }
    return undefined;
  }

  /** Whether a request of this tenant may begin now. */
  hasSlotFor(tenantNum: number): boolean {
    return this.#hasSlot(this.#tenants.of(tenantNum));
  }

  #hasSlot({ inFlight }: TenantTurns): boolean {
    return inFlight < SHARES.tenant * (this.#slots - this.#inFlight);
  }

  /** Whether one of this class may begin now. */
  mayBegin = (kind: LetterClass): boolean => {
    return kind === 'first' || this.#ofClass[kind] < SHARES[kind] * (this.#slots - this.#inFlight);
  };

  began(desk: Desk, kind: LetterClass): void {
    this.#inFlight++;
    this.#ofClass[kind]++;
    this.#tenants.of(desk.tenantNum).inFlight++;
  }

  ended(desk: Desk, kind: LetterClass): void {
    this.#inFlight--;
    this.#ofClass[kind]--;
    this.#tenants.of(desk.tenantNum).inFlight--;
  }
}

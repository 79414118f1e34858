import type { Desk } from './desk.ts';
import type { LetterClass } from './letter-queue.ts';

/**
 * How many of the free slots one party may have for each that it has: alone it gets `n / (n + 1)` of all, and the rest is there at once for
 * whoever comes next ("dynamic threshold" of Choudhury and Hahne, for shared buffers).
 */
const SHARES = { tenant: 3, retry: 2, replay: 1 } as const;

/**
 * Who sends next: tenants in turn, and the desks of one tenant in turn, within a share of the process's slots for each tenant, for retries
 * and for replays. A tenant whose receivers are all slow cannot take every slot, because each one that it takes makes its share smaller.
 */
export class Turns {
  readonly #slots: number;
  /** Desks that may have something to send, by tenant, both in the order of their turns. */
  readonly #ready = new Map<number, Set<Desk>>();
  readonly #ofTenant = new Map<number, number>();
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
    const desks = this.#ready.get(desk.tenantNum);
    if (desks === undefined) this.#ready.set(desk.tenantNum, new Set([desk]));
    else desks.add(desk);
  }

  delete(desk: Desk): void {
    const desks = this.#ready.get(desk.tenantNum);
    if (desks?.delete(desk) === true && desks.size === 0) this.#ready.delete(desk.tenantNum);
  }

  /** The desk whose turn it is, which leaves the queue; undefined when none may send. */
  next(): Desk | undefined {
    if (this.#inFlight >= this.#slots) return undefined;
    for (const [tenant, desks] of this.#ready) {
      if (!this.hasSlotFor(tenant)) continue;
      const [desk] = desks;
      desks.delete(desk!);
      // Its tenant's next turn comes after those of the others.
      this.#ready.delete(tenant);
      if (desks.size > 0) this.#ready.set(tenant, desks);
      return desk;
    }
    return undefined;
  }

  /** Whether a request of this tenant may begin now. */
  hasSlotFor(tenant: number): boolean {
    return this.#tenantLoad(tenant) < SHARES.tenant * (this.#slots - this.#inFlight);
  }

  /** Whether one of this class may begin now. */
  mayBegin = (kind: LetterClass): boolean => {
    return kind === 'first' || this.#ofClass[kind] < SHARES[kind] * (this.#slots - this.#inFlight);
  };

  began(desk: Desk, kind: LetterClass): void {
    this.#inFlight++;
    this.#ofClass[kind]++;
    this.#ofTenant.set(desk.tenantNum, this.#tenantLoad(desk.tenantNum) + 1);
  }

  ended(desk: Desk, kind: LetterClass): void {
    this.#inFlight--;
    this.#ofClass[kind]--;
    const left = this.#tenantLoad(desk.tenantNum) - 1;
    if (left > 0) this.#ofTenant.set(desk.tenantNum, left);
    else this.#ofTenant.delete(desk.tenantNum);
  }

  #tenantLoad(tenant: number): number {
    return this.#ofTenant.get(tenant) ?? 0;
  }
}

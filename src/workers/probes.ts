import { KeptMap } from '../accounts/kept-map.ts';

/** Those that may be under way at once. */
const MOST = 8;

/**
 * Requests to endpoints that fail as our own egress is said to: a few find out whether it is well again. A tenant that has none of them under
 * way may always have one, so that none waits for the tries of another.
 */
export class Probes {
  readonly #ofTenant = new KeptMap<{ count: number }>(
    () => ({ count: 0 }),
    ({ count }) => count === 0,
  );
  #count = 0;

  mayBegin(tenantNum: number): boolean {
    return this.#count < MOST || this.#ofTenant.of(tenantNum).count === 0;
  }

  began(tenantNum: number): void {
    this.#count++;
    this.#ofTenant.of(tenantNum).count++;
  }

  ended(tenantNum: number): void {
    this.#count--;
    this.#ofTenant.of(tenantNum).count--;
  }
}

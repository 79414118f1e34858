/** How many lists of a tenant a new one is compared with, the latest first. Mostly all wide events of a producer go to the same endpoints. */
const COMPARED = 8;

/** Keeps equal lists of endpoint numbers only once: a thousand wide events must not hold a thousand lists. */
export class EndpointSets {
  readonly #byTenant = new Map<number, (readonly number[])[]>();

  /** @returns the list, or one that is equal to it */
  share(tenantNum: number, endpoints: readonly number[]): readonly number[] {
    const known = this.#byTenant.get(tenantNum) ?? [];
    this.#byTenant.set(tenantNum, known);
    const same = known.find((set) => isEqual(set, endpoints));
    if (same !== undefined) return same;
    known.unshift(endpoints);
    if (known.length > COMPARED) known.pop();
    return endpoints;
  }
}

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Deliveries of an endpoint that expired. */
export interface ExpiredDeliveries {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly count: number;
}

/** Adds up what the statements of one drop say. */
export class ExpiredCounts {
  readonly #byEndpoint = new Map<string, ExpiredDeliveries>();

  add(expired: readonly ExpiredDeliveries[] | null): void {
    for (const { tenantId, endpointId, count } of expired ?? []) {
      const before = this.#byEndpoint.get(endpointId)?.count ?? 0;
      this.#byEndpoint.set(endpointId, { tenantId, endpointId, count: before + count });
    }
  }

  /** Those with most first. */
  all(): readonly ExpiredDeliveries[] {
    return [...this.#byEndpoint.values()].sort((a, b) => b.count - a.count);
  }
}

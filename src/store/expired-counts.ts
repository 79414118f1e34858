/** Deliveries of an endpoint that expired. */
export interface ExpiredDeliveries {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly count: number;
}

/** A drop may take hours, and may die: so often it is told how far it has come. */
const TOLD_EVERY_MS = 60_000;

/** Adds up what the statements of one drop say. */
export class ExpiredCounts {
  readonly #onExpired: ((expired: readonly ExpiredDeliveries[]) => void) | undefined;
  readonly #nowMs: () => number;
  readonly #byEndpoint = new Map<string, ExpiredDeliveries>();
  #toldMs: number;

  /**
   * @param onExpired called each minute with those since the last time, as statements say so
   * @param nowMs a clock that never goes back
   */
  constructor(onExpired?: (expired: readonly ExpiredDeliveries[]) => void, nowMs = () => performance.now()) {
    this.#onExpired = onExpired;
    this.#nowMs = nowMs;
    this.#toldMs = nowMs();
  }

  add(expired: readonly ExpiredDeliveries[] | null): void {
    for (const { tenantId, endpointId, count } of expired ?? []) {
      const before = this.#byEndpoint.get(endpointId)?.count ?? 0;
      this.#byEndpoint.set(endpointId, { tenantId, endpointId, count: before + count });
    }
    if (this.#nowMs() - this.#toldMs >= TOLD_EVERY_MS) this.tell();
  }

  /** Tells what was not told yet, those with most first. */
  tell(): void {
    this.#toldMs = this.#nowMs();
    const expired = [...this.#byEndpoint.values()].sort((a, b) => b.count - a.count);
    this.#byEndpoint.clear();
    if (expired.length > 0) this.#onExpired?.(expired);
  }
}

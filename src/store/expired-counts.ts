/** Deliveries of an endpoint that expired. */
export interface ExpiredDeliveries {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly count: number;
}

/** How often it is told what has expired so far, in ms: a drop may take hours, and may die on the way. */
const TOLD_EVERY_MS = 60_000;

/** Adds up what the statements of one drop say. */
export class ExpiredCounts {
  readonly #onExpired: ((expired: readonly ExpiredDeliveries[]) => void) | undefined;
  readonly #nowMs: () => number;
  readonly #byEndpoint = new Map<string, ExpiredDeliveries>();
  #toldMs: number;

  /**
   * @param onExpired called when a statement has reported, but at most once a minute, with what expired since the last call
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

  /** Tells what was not told yet, largest counts first. */
  tell(): void {
    this.#toldMs = this.#nowMs();
    const expired = [...this.#byEndpoint.values()].sort((a, b) => b.count - a.count);
    this.#byEndpoint.clear();
    if (expired.length > 0) this.#onExpired?.(expired);
  }
}

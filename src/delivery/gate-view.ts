import { Breaker, type BreakerPhase } from './breaker.ts';
import type { SavedGate } from './gate.ts';

/** What people see of an endpoint's gate. Times are ms since 1970. */
export interface GateView {
  readonly phase: BreakerPhase;
  /** When the next probe is let through; null unless the breaker is open. */
  readonly openUntilMs: number | null;
  readonly failuresInARow: number;
  /** Until when the receiver asked for a pause; null when it did not, or when that is over. */
  readonly throttledUntilMs: number | null;
  /** Since when every attempt has failed, moved on by pauses (src/delivery/wear.ts); null when the last one did not. */
  readonly failingSinceMs: number | null;
}

/** Reads a gate as it was saved; null is that of an endpoint with nothing held against it. */
export function viewGate(saved: SavedGate | null, nowMs: number): GateView {
  const breaker = Breaker.restore(saved?.breaker ?? null);
  const phase = breaker.phaseAt(nowMs);
  const throttledUntilMs = saved?.bucket?.throttledUntilMs ?? null;
  return {
    phase,
    openUntilMs: phase === 'open' ? breaker.probeAtMs : null,
    failuresInARow: saved?.breaker?.failuresInARow ?? 0,
    throttledUntilMs: throttledUntilMs !== null && throttledUntilMs > nowMs ? throttledUntilMs : null,
    failingSinceMs: saved?.failingSinceMs ?? null,
  };
}

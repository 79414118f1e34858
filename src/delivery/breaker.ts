import type { Outcome } from '../domain/outcome.ts';
import { AttemptWindow, type SavedWindow } from './attempt-window.ts';

const FAILURES_IN_A_ROW = 10;
const WINDOW_ATTEMPTS = 20;
const WINDOW_FAILED_SHARE = 0.5;

const FIRST_OPEN_MS = 30_000;
const MOST_OPEN_MS = 600_000;
const JITTER = 0.1;
const LONGEST_OPEN_MS = MOST_OPEN_MS * (1 + JITTER);
/** How long a ramp lasts at the most: an endpoint that gets a delivery a day would be in it for weeks. */
const RAMP_MS = 60_000;
/** How long it must stay closed before its next opening is a first one again. */
const RECOVERED_AFTER_MS = 600_000;

export type BreakerPhase = 'closed' | 'open' | 'half_open' | 'ramp';

export type OpenReason = 'failures_in_a_row' | 'failure_rate' | 'probe_failed' | 'ramp_failed';

export type BreakerTransition =
  /** `openings` counts from 1 and tells a first opening from one that follows without recovery. */
  | { readonly kind: 'opened'; readonly untilMs: number; readonly reason: OpenReason; readonly openings: number }
  | { readonly kind: 'ramping'; readonly allowance: number }
  | { readonly kind: 'closed' };

export interface BreakerResult {
  readonly success: boolean;
  /** `Breaker.generation` when the request began. */
  readonly generation: number;
}

export interface BreakerContext {
  /** Postgres's clock. */
  readonly nowMs: number;
  /** Requests that the endpoint takes at once, at least 1: the ramp ends there. */
  readonly cap: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Half-open is not stored: it is open with its time over, so that a probe lost in a crash blocks nothing. */
type BreakerState =
  /** `sinceMs`: null once earlier openings do not matter any more. */
  | { readonly phase: 'closed'; readonly sinceMs: number | null }
  | { readonly phase: 'open'; readonly untilMs: number }
  | RampState;

/** `successes` counts those at this allowance. `sinceMs` is absent if an older version saved the ramp. */
interface RampState {
  readonly phase: 'ramp';
  readonly allowance: number;
  readonly successes: number;
  readonly sinceMs?: number;
}

/** Plain JSON of a few hundred bytes at most. */
export interface SavedBreaker {
  readonly state: BreakerState;
  readonly openings: number;
  readonly failuresInARow: number;
  readonly recent: SavedWindow;
}

/**
 * Whether an outcome counts against the endpoint. Null: it says nothing of the endpoint's health. Our own guard refused, no request was made,
 * or the receiver asked to be disabled (410, `webhook-delivery: disable`), which is an order and not a fault.
 */
export function countsAsFailure(outcome: Outcome): boolean | null {
  switch (outcome.kind) {
    case 'delivered':
      return false;
    case 'rejected':
      return outcome.response.status === 410 || wishesDisable(outcome.response.headers['webhook-delivery'])
        ? null
        : true;
    case 'unreachable':
      return true;
    case 'blocked':
    case 'skipped':
      return null;
  }
}

function wishesDisable(header = ''): boolean {
  return header.split(',').some((wish) => wish.trim().toLowerCase() === 'disable');
}

/**
 * The circuit breaker of one endpoint (docs/operations.md, "Endpoints that fail").
 * - Closed, it opens on 10 failures in a row, or on a failure that makes half of at least 20 attempts of the last minute.
 * - Open, it lets nothing through for 30 s. Each further opening doubles that, up to 10 min (±10 %), until the breaker has been closed for
 *   10 min. Closing alone does not reset the doubling: an endpoint that comes back just to fail again would be tried every 30 s for ever.
 * - Half-open, it lets one probe through.
 * - Then it ramps: 1, 2, 4, … requests at once, up to the endpoint's cap, or until a minute has passed. Each step takes as many successes as
 *   it allows requests, and a failure halves it. The breaker opens again if 10 fail in a row, or half of all since the probe, that included:
 *   unlike while it is closed, without a least number of attempts. One failure right after the probe is one of two, and opens it.
 *
 * Pure: it holds no timers and reads no clock. Late results are recognised by their generation, not by their time: a clock may step back.
 */
export class Breaker {
  #state: BreakerState = { phase: 'closed', sinceMs: null };
  #openings = 0;
  #failuresInARow = 0;
  #generation = 0;
  readonly #window = new AttemptWindow();

  /** The saved form of a breaker that lets one probe through, and then ramps: for an endpoint that was disabled. */
  static readonly toBeProbed: SavedBreaker = {
    state: { phase: 'open', untilMs: 0 },
    openings: 0,
    failuresInARow: 0,
    recent: [],
  };

  /** The breaker as `save` left it; a new one for null. A probe that was under way is forgotten, and another is allowed. */
  static restore(saved: SavedBreaker | null): Breaker {
    const breaker = new Breaker();
    if (saved === null) return breaker;
    breaker.#state = saved.state;
    breaker.#openings = saved.openings;
    breaker.#failuresInARow = saved.failuresInARow;
    breaker.#window.restore(saved.recent);
    return breaker;
  }

  /** What the lane's next owner must know; null if nothing is held against the endpoint. */
  save(): SavedBreaker | null {
    const { phase } = this.#state;
    if (phase === 'closed' && this.#openings === 0 && this.#failuresInARow === 0 && this.#window.failures === 0)
      return null;
    return {
      state: this.#state,
      openings: this.#openings,
      failuresInARow: this.#failuresInARow,
      recent: this.#window.save(),
    };
  }

  /**
   * A request belongs to the generation in which it began. The generation rises when the breaker opens or is reset. Results of an older
   * one are ignored: they say how the endpoint was, not how it is.
   */
  get generation(): number {
    return this.#generation;
  }

  /** How often it opened since the endpoint was last well; 0 if the endpoint is well, or was enabled by hand and is to be probed. */
  get openings(): number {
    return this.#openings;
  }

  phaseAt(nowMs: number): BreakerPhase {
    const state = this.#state;
    if (this.#isRampOver(nowMs)) return 'closed';
    if (state.phase !== 'open') return state.phase;
    const leftMs = state.untilMs - nowMs;
    // If more is left than it ever opens for, the clock stepped back. That must not shut the endpoint for as long.
    return leftMs > 0 && leftMs <= LONGEST_OPEN_MS ? 'open' : 'half_open';
  }

  /** When a probe is allowed, on Postgres's clock; null when the breaker is not open. In the past while half-open. */
  get probeAtMs(): number | null {
    return this.#state.phase === 'open' ? this.#state.untilMs : null;
  }

  /** How many requests may be under way now, including those of older generations: at half-open the probe is alone. */
  allowance(nowMs: number, cap: number): number {
    const state = this.#state;
    if (state.phase === 'closed' || this.#isRampOver(nowMs)) return cap;
    if (state.phase === 'ramp') return Math.min(state.allowance, cap);
    return this.phaseAt(nowMs) === 'open' ? 0 : 1;
  }

  /** Takes note of a result for which `countsAsFailure` is not null. @returns what changed, if anything. */
  record({ success, generation }: BreakerResult, context: BreakerContext): BreakerTransition | null {
    if (generation !== this.#generation) return null;
    const ended = this.endRamp(context.nowMs);
    const state = this.#state;
    switch (state.phase) {
      case 'closed':
        // If this result also ended the ramp, it cannot open the breaker: one alone does not. So at most one of the two is not null.
        return this.#recordClosed(success, context) ?? ended;
      case 'open':
        if (!success) return this.#open('probe_failed', context);
        this.#window.add(true, context.nowMs);
        return this.#ramp(1, context);
      case 'ramp':
        this.#count(success, context.nowMs);
        return success ? this.#climb(state, context) : this.#stumble(state, context);
    }
  }

  #count(success: boolean, nowMs: number): void {
    this.#window.add(success, nowMs);
    this.#failuresInARow = success ? 0 : this.#failuresInARow + 1;
  }

  #climb(state: RampState, context: BreakerContext): BreakerTransition | null {
    const successes = state.successes + 1;
    if (successes >= Math.min(state.allowance, context.cap)) return this.#ramp(state.allowance * 2, context);
    this.#state = { ...state, successes };
    return null;
  }

  #stumble(state: RampState, context: BreakerContext): BreakerTransition | null {
    if (this.#failuresInARow >= FAILURES_IN_A_ROW || this.#isMostlyFailing) return this.#open('ramp_failed', context);
    this.#state = {
      ...state,
      allowance: Math.max(1, Math.floor(Math.min(state.allowance, context.cap) / 2)),
      successes: 0,
    };
    return null;
  }

  get #isMostlyFailing(): boolean {
    return this.#window.failures >= this.#window.attempts * WINDOW_FAILED_SHARE;
  }

  /** Ends a ramp whose time is over. @returns that it is closed now; null when there was no such ramp */
  endRamp(nowMs: number): BreakerTransition | null {
    if (!this.#isRampOver(nowMs)) return null;
    this.#startClean({ phase: 'closed', sinceMs: nowMs });
    return { kind: 'closed' };
  }

  #isRampOver(nowMs: number): boolean {
    const state = this.#state;
    return state.phase === 'ramp' && state.sinceMs !== undefined && hasPassed(RAMP_MS, state.sinceMs, nowMs);
  }

  /** Closes it by hand and forgets everything. @returns null when it was closed already. */
  reset(): BreakerTransition | null {
    const { phase } = this.#state;
    this.#openings = 0;
    this.#generation++;
    this.#startClean({ phase: 'closed', sinceMs: null });
    return phase === 'closed' ? null : { kind: 'closed' };
  }

  #recordClosed(success: boolean, context: BreakerContext): BreakerTransition | null {
    this.#forgiveOpenings(context.nowMs);
    this.#count(success, context.nowMs);
    // An endpoint that has just answered is not shut for earlier failures.
    if (success) return null;
    if (this.#failuresInARow >= FAILURES_IN_A_ROW) return this.#open('failures_in_a_row', context);
    const isKnown = this.#window.attempts >= WINDOW_ATTEMPTS;
    return isKnown && this.#isMostlyFailing ? this.#open('failure_rate', context) : null;
  }

  #forgiveOpenings(nowMs: number): void {
    if (this.#state.phase !== 'closed' || this.#state.sinceMs === null) return;
    if (!hasPassed(RECOVERED_AFTER_MS, this.#state.sinceMs, nowMs)) return;
    this.#openings = 0;
    this.#state = { phase: 'closed', sinceMs: null };
  }

  #open(reason: OpenReason, { nowMs, random }: BreakerContext): BreakerTransition {
    const openMs = Math.min(FIRST_OPEN_MS * 2 ** this.#openings, MOST_OPEN_MS);
    const untilMs = nowMs + Math.round(openMs * (1 - JITTER + 2 * JITTER * random()));
    this.#openings++;
    this.#generation++;
    this.#startClean({ phase: 'open', untilMs });
    return { kind: 'opened', untilMs, reason, openings: this.#openings };
  }

  #ramp(allowance: number, { nowMs, cap }: BreakerContext): BreakerTransition {
    if (allowance >= cap) {
      this.#startClean({ phase: 'closed', sinceMs: nowMs });
      return { kind: 'closed' };
    }
    const sinceMs = (this.#state.phase === 'ramp' ? this.#state.sinceMs : undefined) ?? nowMs;
    this.#state = { phase: 'ramp', allowance, successes: 0, sinceMs };
    return { kind: 'ramping', allowance };
  }

  #startClean(state: BreakerState): void {
    this.#state = state;
    this.#failuresInARow = 0;
    this.#window.clear();
  }
}

/** A clock that stepped back by as much counts as well: otherwise hours might be left. */
function hasPassed(ms: number, sinceMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - sinceMs) >= ms;
}

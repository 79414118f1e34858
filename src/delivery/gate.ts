import type { RateLimit } from '../domain/endpoint.ts';
import type { Outcome } from '../domain/outcome.ts';
import {
  Breaker,
  type BreakerPhase,
  type BreakerTransition,
  countsAsFailure,
  type OpenReason,
  type SavedBreaker,
} from './breaker.ts';
import { CongestionWindow } from './congestion-window.ts';
import { EndpointRateBucket, type SavedBucket } from './endpoint-rate-bucket.ts';
import { parseRetryAfter } from './retry-policy.ts';
import { isWornOut, restoreWear, type SavedWear, type Wear, wearAfterFailure } from './wear.ts';

/** What an endpoint's settings allow. */
export interface GateLimits {
  /** Requests under way at once, at least 1. */
  readonly cap: number;
  /** Null: as fast as `cap` lets it. */
  readonly rate: RateLimit | null;
}

/** Plain JSON of some hundred bytes: what the next owner of the endpoint's lane must know. */
export interface SavedGate extends SavedWear {
  readonly breaker: SavedBreaker | null;
  readonly bucket: SavedBucket | null;
}

/** A change of a gate that people are told of: in the log, and as a system event. */
export type GateNews =
  | {
      readonly kind: 'breaker_opened';
      readonly untilMs: number;
      readonly reason: OpenReason;
      readonly openings: number;
    }
  | { readonly kind: 'breaker_closed' }
  | { readonly kind: 'throttled'; readonly untilMs: number }
  /** For five days in which it was tried, every attempt failed. */
  | { readonly kind: 'worn_out'; readonly failingSinceMs: number };

/** A request that has gone through the gate. */
export interface Passage {
  readonly gate: Gate;
  readonly generation: number;
  readonly ticket: number;
}

export interface GateClock {
  /** Postgres's clock. */
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Statuses that say "too much" rather than "wrong" (docs/operations.md, "Endpoints that fail"). */
const THROTTLING = new Set<number | null>([429, 502, 503, 504]);
const NO_NEWS: readonly GateNews[] = [];
const LONGEST_THROTTLE_MS = 24 * 3_600_000;
/** What waits for the end of a throttle stays in memory if that ends within this; otherwise it goes back to the table. */
const SHORT_MS = 1_000;
/** A bucket holds at least what its rate brings in this time. Timers are not finer: tokens that a smaller bucket gains between two would be lost. */
const GRAIN_MS = 4;
/** For an endpoint without a rate limit: its bucket is only there for throttles. */
const UNLIMITED: RateLimit = { perSecond: 1e9, burst: 1e9 };

/**
 * Decides whether an endpoint takes another request now: circuit breaker, rate limit, throttle by `Retry-After` and congestion window in
 * one. The owner of the endpoint's lane keeps it in memory; what must outlive the owner is in `save`.
 *
 * Pure: no timers, no clock of its own. Times are in ms on Postgres's clock.
 */
export class Gate {
  readonly #breaker: Breaker;
  readonly #window = new CongestionWindow();
  #limits: GateLimits;
  #bucket: EndpointRateBucket | null;
  #wear: Wear | null;
  #isDirty = false;
  #hasNews = false;

  private constructor(limits: GateLimits, saved: SavedGate | null, nowMs: number) {
    this.#limits = limits;
    this.#breaker = Breaker.restore(saved?.breaker ?? null);
    this.#wear = restoreWear(saved);
    this.#bucket = bucketOf(saved?.bucket ?? null, limits.rate, nowMs);
  }

  /** The saved form of a gate that lets one probe through, and then ramps: for an endpoint that is enabled again. */
  static readonly toBeProbed: SavedGate = { breaker: Breaker.toBeProbed, bucket: null, failingSinceMs: null };

  /** The gate as `save` left it; an open one for null. */
  static restore(saved: SavedGate | null, limits: GateLimits, nowMs: number): Gate {
    return new Gate(limits, saved, nowMs);
  }

  /**
   * The gate after somebody else rewrote the saved one (a reset by hand, say). Breaker, wear and throttle are as saved, but tokens that were
   * taken here stay taken: a reset does not lift the receiver's rate limit.
   */
  rewritten(saved: SavedGate | null, limits: GateLimits, nowMs: number): Gate {
    const taken = this.#savedBucket(nowMs);
    if (taken === null) return new Gate(limits, saved, nowMs);
    const bucket = { ...taken, throttledUntilMs: saved?.bucket?.throttledUntilMs ?? null };
    const gate = new Gate(limits, { breaker: null, failingSinceMs: null, ...saved, bucket }, nowMs);
    gate.#isDirty = true;
    return gate;
  }

  /** What the lane's next owner must know; null if nothing is held against the endpoint and its bucket is full. */
  save(nowMs: number): SavedGate | null {
    const breaker = this.#breaker.save();
    const bucket = this.#savedBucket(nowMs);
    if (breaker === null && bucket === null && this.#wear === null) return null;
    return { breaker, bucket, ...(this.#wear ?? { failingSinceMs: null, lastFailedMs: null }) };
  }

  /** Whether something has changed since `markSaved`. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Whether that must be saved at once, because people are told of it. */
  get isUrgent(): boolean {
    return this.#isDirty && this.#hasNews;
  }

  /** The caller is saving the gate as it is now. */
  markSaved(): void {
    this.#isDirty = false;
    this.#hasNews = false;
  }

  /** The saving failed. */
  markUnsaved(): void {
    this.#isDirty = true;
  }

  /** New settings: tokens are kept within the new burst, and none are minted. */
  setLimits(limits: GateLimits, nowMs: number): void {
    const { rate } = this.#limits;
    this.#limits = limits;
    if (rate?.perSecond === limits.rate?.perSecond && rate?.burst === limits.rate?.burst) return;
    this.#bucket = bucketOf(this.#savedBucket(nowMs), limits.rate, nowMs);
  }

  /** Until when nothing is sent: the breaker is open, or the receiver asked for more than a short pause. Null if requests may be sent. */
  closedUntilMs(nowMs: number): number | null {
    const probeAtMs = this.#breaker.phaseAt(nowMs) === 'open' ? this.#breaker.probeAtMs! : 0;
    const throttledMs = this.#bucket?.throttledUntilMs(nowMs) ?? 0;
    const untilMs = Math.max(probeAtMs, throttledMs - nowMs > SHORT_MS ? throttledMs : 0);
    return untilMs > nowMs ? untilMs : null;
  }

  phaseAt(nowMs: number): BreakerPhase {
    return this.#breaker.phaseAt(nowMs);
  }

  /** How many requests may be under way, tokens aside. */
  allowance(nowMs: number): number {
    const { cap } = this.#limits;
    return Math.min(this.#breaker.allowance(nowMs, cap), this.#window.allowance(cap));
  }

  /** Whole milliseconds until there is a token; 0 when there is one. */
  tokenInMs(nowMs: number): number {
    return this.#bucket?.nextTokenMs(nowMs) ?? 0;
  }

  /** Takes a token. To be asked only when `allowance` says so and `tokenInMs` is 0. */
  begin(nowMs: number): Passage {
    if (this.#bucket?.take(nowMs) === true && this.#limits.rate !== null) this.#isDirty = true;
    return { gate: this, generation: this.#breaker.generation, ticket: this.#window.begin() };
  }

  /** Whether a request began under this gate, and so under what is held against the endpoint now. */
  isOf({ gate }: Passage): boolean {
    return gate === this;
  }

  /**
   * Takes note of how a request ended. Requests that began before the gate was rewritten are ignored: they say nothing of the endpoint now.
   * @returns what people are told of
   */
  finish(outcome: Outcome, passage: Passage, { nowMs, random }: GateClock): readonly GateNews[] {
    if (!this.isOf(passage)) return NO_NEWS;
    const { generation, ticket } = passage;
    const failed = countsAsFailure(outcome);
    // Our guard refused: that says nothing of the receiver's health, but nothing was delivered, so it counts as wear.
    if (outcome.kind === 'blocked') return newsAmong(this.#recordWear(true, nowMs));
    if (failed === null) return NO_NEWS;
    const throttled = this.#throttle(outcome, ticket, nowMs);
    const worn = this.#recordWear(failed, nowMs);
    const { cap } = this.#limits;
    const wasOpened = this.#breaker.openings > 0;
    const transition = this.#breaker.record({ success: !failed, generation }, { nowMs, cap, random });
    if (failed || transition !== null) this.#isDirty = true;
    if (transition !== null) this.#hasNews = true;
    return newsAmong(throttled, worn, newsOf(transition, wasOpened));
  }

  /** Ends a ramp whose time is over, also if nothing is sent to the endpoint. @returns what people are told of */
  tick(nowMs: number): GateNews[] {
    const wasOpened = this.#breaker.openings > 0;
    const transition = this.#breaker.endRamp(nowMs);
    if (transition === null) return [];
    this.#isDirty = true;
    this.#hasNews = true;
    const news = newsOf(transition, wasOpened);
    return news === null ? [] : [news];
  }

  /** A 2xx widens the window. "Too much" cuts it or, with `Retry-After`, stops the endpoint until then. */
  #throttle(outcome: Outcome, ticket: number, nowMs: number): GateNews | null {
    if (outcome.kind === 'delivered') this.#window.widen(this.#limits.cap);
    if (outcome.kind !== 'rejected' || !THROTTLING.has(outcome.response.status)) return null;
    const asked = outcome.response.headers['retry-after'];
    const waitMs = asked === undefined ? null : parseRetryAfter(asked, nowMs);
    if (waitMs === null || waitMs === 0) {
      this.#window.cut(ticket, this.#limits.cap);
      return null;
    }
    const untilMs = nowMs + Math.min(waitMs, LONGEST_THROTTLE_MS);
    this.#bucket ??= new EndpointRateBucket(UNLIMITED, nowMs);
    const wasThrottled = (this.#bucket.throttledUntilMs(nowMs) ?? 0) > nowMs;
    if (!this.#bucket.throttleUntil(untilMs)) return null;
    this.#isDirty = true;
    this.#hasNews = true;
    return wasThrottled || waitMs <= SHORT_MS ? null : { kind: 'throttled', untilMs };
  }

  #recordWear(failed: boolean, nowMs: number): GateNews | null {
    if (failed || this.#wear !== null) this.#isDirty = true;
    this.#wear = failed ? wearAfterFailure(this.#wear, nowMs) : null;
    if (this.#wear === null || !isWornOut(this.#wear)) return null;
    return { kind: 'worn_out', failingSinceMs: this.#wear.failingSinceMs };
  }

  #savedBucket(nowMs: number): SavedBucket | null {
    const bucket = this.#bucket;
    if (bucket === null) return null;
    const saved = bucket.save();
    const isThrottled = (saved.throttledUntilMs ?? 0) > nowMs;
    const { rate } = this.#limits;
    if (rate === null) return isThrottled ? saved : null;
    const tokens = saved.tokens + ((nowMs - saved.atMs) * rate.perSecond) / 1000;
    return isThrottled || tokens < burstOf(rate) ? saved : null;
  }
}

function bucketOf(saved: SavedBucket | null, rate: RateLimit | null, nowMs: number): EndpointRateBucket | null {
  if (rate === null && saved === null) return null;
  const limit = rate === null ? UNLIMITED : { perSecond: rate.perSecond, burst: burstOf(rate) };
  return EndpointRateBucket.restore(saved, limit, nowMs);
}

function burstOf({ perSecond, burst }: RateLimit): number {
  return Math.max(burst, (perSecond * GRAIN_MS) / 1000);
}

/** Nearly always there is no news: then no array is made. */
function newsAmong(
  first: GateNews | null,
  second: GateNews | null = null,
  third: GateNews | null = null,
): readonly GateNews[] {
  if (first === null && second === null && third === null) return NO_NEWS;
  return [first, second, third].filter((each) => each !== null);
}

/** Between the first opening and the closing, people are not told of each probe or ramp that failed. */
function newsOf(transition: BreakerTransition | null, wasOpened: boolean): GateNews | null {
  if (transition?.kind === 'closed') return wasOpened ? { kind: 'breaker_closed' } : null;
  if (transition?.kind !== 'opened' || transition.reason.endsWith('_failed')) return null;
  const { untilMs, reason, openings } = transition;
  return { kind: 'breaker_opened', untilMs, reason, openings };
}

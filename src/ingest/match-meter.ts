/** Longest that one tenant's events are matched in one turn of the event loop, in ms. */
const TENANT_TURN_MS = 25;
/** The same for the events of all tenants together. */
const TURN_MS = 50;
/** Once a turn is over, each tenant whose events took as much of it as this counts as costly. */
const COSTLY_PART_MS = 2;
/** A match that takes less is not counted: to parse and store the event takes as long. */
const USUAL_MS = 0.05;

/**
 * Limits how long matching holds the event loop. It measures time, not steps, because steps are look-ups of many kinds. A pause of the
 * process counts as matching, too, but only defers events.
 */
export interface MatchMeter {
  readonly steadyMs: () => number;
  /** Whether the events of all tenants together have used up this turn of the event loop. */
  readonly isOver: boolean;
  /** Whether the tenant has used up its own share of the turn, so that no more of its events are to be matched now. */
  isCostly(tenantNum: number): boolean;
  /** Counts a match of the tenant's. @returns whether it took long enough that its result is to be kept on the event */
  took(tenantNum: number, ms: number): boolean;
}

/** Sets no limit. */
export const UNMETERED: MatchMeter = {
  steadyMs: () => 0,
  isOver: false,
  isCostly: () => false,
  took: () => false,
};

/**
 * For a group of events, which is matched in one turn of the event loop: stops a tenant whose events took long in this turn, and all
 * tenants once their events took long together.
 */
export class TurnMeter implements MatchMeter {
  readonly steadyMs: () => number;
  readonly #spentBy = new Map<number, number>();
  #spentMs = 0;

  /** @param steadyMs a clock that never steps back */
  constructor(steadyMs: () => number) {
    this.steadyMs = steadyMs;
  }

  get isOver(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  isCostly(tenantNum: number): boolean {
    const spentMs = this.#spentMs === 0 ? 0 : (this.#spentBy.get(tenantNum) ?? 0);
    return spentMs >= (this.isOver ? COSTLY_PART_MS : TENANT_TURN_MS);
  }

  took(tenantNum: number, ms: number): boolean {
    if (ms < USUAL_MS) return false;
    this.#spentMs += ms;
    this.#spentBy.set(tenantNum, (this.#spentBy.get(tenantNum) ?? 0) + ms);
    return true;
  }
}

/** For events that are known to take long: lets a piece go on for so many milliseconds. At least one event is matched in it, or one unit finished. */
export class PieceMeter implements MatchMeter {
  readonly steadyMs: () => number;
  readonly #endMs: number;
  #isBegun = false;
  /** Events that were matched in this piece. */
  events = 0;

  /** @param steadyMs a clock that never steps back */
  constructor(steadyMs: () => number, ms: number) {
    this.steadyMs = steadyMs;
    this.#endMs = steadyMs() + ms;
  }

  get isOver(): boolean {
    return this.#isBegun && this.steadyMs() >= this.#endMs;
  }

  /** Notes that something was done in this piece: only then can it be over. */
  begin(): void {
    this.#isBegun = true;
  }

  isCostly(): boolean {
    return this.isOver;
  }

  took(): boolean {
    this.begin();
    this.events++;
    return true;
  }
}

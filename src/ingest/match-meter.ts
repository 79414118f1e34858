/** Milliseconds that a tenant's events may take to be matched in one turn of the event loop, and those of all together. */
const TENANT_TURN_MS = 25;
const TURN_MS = 50;
/** Once that is over: a tenant whose events took so much of it is one whose events take long. */
const PART_MS = 2;
/** An event that takes less is like any other: to parse and store it takes as long. */
const USUAL_MS = 0.05;

/**
 * What events are matched by, as far as time goes. It is told by the clock, as they are matched: the steps are many kinds of look-ups, and what is told wrongly for a pause of the
 * process only puts events off.
 */
export interface MatchMeter {
  readonly steadyMs: () => number;
  /** Whether others are to have the event loop. */
  readonly isOver: boolean;
  /** Whether the tenant's own events took so long that no more of them are to be matched now. */
  isCostly(tenantNum: number): boolean;
  /** @returns whether that is so much that it is to be kept what was found */
  took(tenantNum: number, ms: number): boolean;
}

/** For what is matched without regard to that. */
export const UNMETERED: MatchMeter = {
  steadyMs: () => 0,
  isOver: false,
  isCostly: () => false,
  took: () => false,
};

/** For a group, whose events are matched in one turn of the event loop: ends it for a tenant whose events took long in it, and for all where their events take long together. */
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
    return spentMs >= (this.isOver ? PART_MS : TENANT_TURN_MS);
  }

  took(tenantNum: number, ms: number): boolean {
    if (ms < USUAL_MS) return false;
    this.#spentMs += ms;
    this.#spentBy.set(tenantNum, (this.#spentBy.get(tenantNum) ?? 0) + ms);
    return true;
  }
}

/** For events that are known to take long: as many as fit into so many milliseconds, and one. */
export class PieceMeter implements MatchMeter {
  readonly steadyMs: () => number;
  readonly #endMs: number;
  #isBegun = false;
  /** Events that were matched. */
  events = 0;

  /** @param steadyMs a clock that never steps back */
  constructor(steadyMs: () => number, ms: number) {
    this.steadyMs = steadyMs;
    this.#endMs = steadyMs() + ms;
  }

  get isOver(): boolean {
    return this.#isBegun && this.steadyMs() >= this.#endMs;
  }

  /** Something was done in it. */
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

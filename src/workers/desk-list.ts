import { Desk } from './desk.ts';

/** How long an endpoint that has nothing to send is remembered, in ms. */
const IDLE_MS = 10_000;
/** How often a sleeping lane is looked at that has something parked, in ms: what ended its reason may have gone unheard. */
const PARKED_LOOK_MS = 60_000;
/** How often all of them are looked at for such, in ms. */
const SLOW_LOOK_MS = 100;

/** The endpoints that a process knows, each at its desk. */
export class DeskList {
  readonly #desks = new Map<number, Desk>();
  /** Postgres's clock. */
  readonly #nowMs: () => number;
  #slow: readonly Desk[] = [];
  #slowAt = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  [Symbol.iterator](): Iterator<Desk> {
    return this.#desks.values();
  }

  get(num: number): Desk | undefined {
    return this.#desks.get(num);
  }

  /** The desk of an endpoint, made if need be. */
  of(num: number, lane: number): Desk {
    let desk = this.#desks.get(num);
    if (desk === undefined) {
      desk = new Desk(num, lane);
      this.#desks.set(num, desk);
    }
    desk.usedAt = performance.now();
    return desk;
  }

  *ofLane(lane: number): Generator<Desk> {
    for (const desk of this.#desks.values()) if (desk.lane === lane) yield desk;
  }

  /**
   * Those whose rows have waited long in memory because their endpoints take no more, or their tenants have no slot. All are looked at a
   * few times a second, because there may be very many; in between, those that were found are.
   * @param ms how long is long
   */
  slow(ms: number, hasSlot: (desk: Desk) => boolean): Desk[] {
    const steadyMs = performance.now();
    const pgNowMs = this.#nowMs();
    const isDue = steadyMs - this.#slowAt >= SLOW_LOOK_MS;
    if (isDue) this.#slowAt = steadyMs;
    const slow: Desk[] = [];
    for (const desk of isDue ? this.#desks.values() : this.#slow)
      if (desk.isSlow(steadyMs, ms, pgNowMs, hasSlot)) slow.push(desk);
    this.#slow = slow;
    return slow;
  }

  /** Rows in memory that wait to be sent. */
  get waiting(): number {
    let rows = 0;
    for (const { waiting, lines } of this.#desks.values()) rows += waiting.length + lines.waiting;
    return rows;
  }

  hasOpenParked(lane: number): boolean {
    const nowMs = this.#nowMs();
    for (const desk of this.ofLane(lane))
      if (desk.hasParked && (desk.isOpen(nowMs) || desk.isDeleted || desk.isUnknown)) return true;
    return false;
  }

  /** Milliseconds until the first endpoint of a lane that is closed for a while and has a backlog opens again; undefined without one. */
  opensInMs(lane: number): number | undefined {
    const nowMs = this.#nowMs();
    let firstMs: number | undefined;
    for (const desk of this.ofLane(lane)) {
      const untilMs = desk.hasParked && desk.isEnabled ? (desk.gate?.closedUntilMs(nowMs) ?? null) : null;
      if (untilMs !== null) firstMs = Math.min(firstMs ?? Number.POSITIVE_INFINITY, untilMs - nowMs);
    }
    return firstMs;
  }

  /** When a lane is to be looked at that nobody rings, in ms: when the first of its closed endpoints opens, and now and then. */
  wakeInMs(lane: number): number {
    let hasParked = false;
    for (const desk of this.ofLane(lane)) hasParked ||= desk.hasParked;
    return Math.min(
      this.opensInMs(lane) ?? Number.POSITIVE_INFINITY,
      hasParked ? PARKED_LOOK_MS : Number.POSITIVE_INFINITY,
    );
  }

  forgetLane(lane: number): void {
    for (const desk of [...this.ofLane(lane)]) this.#desks.delete(desk.num);
  }

  /** Not at once: what is being admitted has asked for its desk already, and would find one without settings. */
  forgetIdle(): void {
    const before = performance.now() - IDLE_MS;
    for (const desk of [...this.#desks.values()]) {
      const isSaved = desk.gate?.isDirty !== true;
      if (isSaved && desk.rowsInMemory === 0 && !desk.hasParked && desk.usedAt < before) this.#desks.delete(desk.num);
    }
  }
}

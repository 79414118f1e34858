import { Refusal } from '../domain/errors.ts';
import { type CommitOptions, commitUnits, failAll, type PutOff, processSteadyMs } from './commit-units.ts';
import { MatchQueue } from './match-queue.ts';
import { bytesOf, PendingUnit } from './pending-unit.ts';
import type { Unit, UnitResult } from './plan-group.ts';
import { type HoldRouting, RoutingQueue } from './routing-queue.ts';
import type { RoomBounds } from './waiting-rooms.ts';

export interface GroupCommitOptions extends CommitOptions {
  readonly holdRouting: HoldRouting;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly deadlineMs: number;
}

const GROUP_EVENTS = 1_000;
const GROUP_BYTES = 4 * 1024 * 1024;
/** Two: one group is on its way to Postgres while Postgres still writes the one before. */
export const CONCURRENT_GROUPS = 2;
const TICK_MS = 50;

/** A unit fails once its commit was refused this often because routing had changed. */
const MAX_CHANGES = 6;
/** The parts of the buffer that may be filled with events that wait for routing, and with events that wait to be matched. */
const WAITING_SHARES = { routing: 1 / 2, matching: 1 / 4 };

const overloaded = () =>
  new Refusal(
    503,
    'overloaded',
    'More events are waiting to be stored than this process may hold. Send it again later.',
    { retryAfterSeconds: 1 },
  );

const tooCostly = () =>
  new Refusal(
    429,
    'rate_limited',
    'The filters of the tenant take so long to be matched with its events that these could not be stored in time. Nothing was stored: send it again later, fewer events at once, or smaller ones, or make the filters of the endpoints simpler.',
    { retryAfterSeconds: 1 },
  );

/**
 * Stores events in groups: requests that arrive while a commit is under way share the next one. The buffer is bounded in events and
 * bytes. Nobody waits longer than the deadline: past it the producer gets 503, whatever becomes of the commit. A unit waits in a queue
 * of its own while its tenant's routing is read (`RoutingQueue`), or while its events are matched because that takes long
 * (`MatchQueue`), so that it keeps no other out of a group.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #steadyMs: () => number;
  readonly #routingQueue: RoutingQueue;
  readonly #matchQueue: MatchQueue;
  #waiting: PendingUnit[] = [];
  /**
   * The groups that are under way. The outer list is made anew with each change: an old list that is changed in place would keep younger
   * groups alive (as `SlotList` says of tables).
   */
  #committing: (readonly PendingUnit[])[] = [];
  /** Units that are committed while their routing is locked: a list for each call of `#commitLocked`, with what it has not committed yet. */
  readonly #lockedGroups = new Set<PendingUnit[]>();
  #events = 0;
  #bytes = 0;
  #groups = 0;
  #scheduled = false;
  #onIdle: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#expire(), TICK_MS).unref();
    const { routing, holdRouting, findClaims, keysExpireBefore, steadyMs = processSteadyMs } = options;
    this.#steadyMs = steadyMs;
    const rejoin = (units: readonly PendingUnit[]) => this.#rejoin(units);
    const fail = (units: readonly PendingUnit[], error: unknown) => this.#fail(units, error);
    const commit = (units: readonly PendingUnit[]) => this.#commitLocked(units);
    this.#routingQueue = new RoutingQueue({
      ...{ routing, holdRouting, rejoin, commit, fail },
      ...this.#shareOf(WAITING_SHARES.routing),
    });
    this.#matchQueue = new MatchQueue({
      ...{
        routing,
        steadyMs,
        deadlineMs: options.deadlineMs,
        rejoin,
        fail,
        findClaims: (keys) => findClaims(keys, keysExpireBefore()),
      },
      ...this.#shareOf(WAITING_SHARES.matching),
    });
  }

  /**
   * Stores the unit. @returns what became of its events
   * @throws Refusal 503 when the buffer is full or the commit did not come in time.
   */
  submit(unit: Unit): Promise<UnitResult> {
    const bytes = bytesOf(unit);
    const { maxEvents, maxBytes } = this.#options;
    const isFull = this.#events + unit.length > maxEvents || this.#bytes + bytes > maxBytes;
    // A unit larger than the whole buffer still passes when nothing else waits.
    if (isFull && this.#events > 0) return Promise.reject(overloaded());
    this.#events += unit.length;
    this.#bytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push(new PendingUnit({ unit, bytes, since: this.#steadyMs() }, resolve, reject));
      this.#schedule();
    });
  }

  /** Events that were submitted and have no result yet. */
  get waitingEvents(): number {
    return this.#events;
  }

  /** Bytes of their bodies. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Resolves when nothing that was submitted waits any more. New units are still taken meanwhile, and waited for, too. */
  drain(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #shareOf(share: number): RoomBounds {
    const { maxEvents, maxBytes } = this.#options;
    return { maxEvents: maxEvents * share, maxBytes: maxBytes * share };
  }

  #schedule(): void {
    if (this.#scheduled || this.#groups >= CONCURRENT_GROUPS || this.#waiting.length === 0) return;
    this.#scheduled = true;
    // Later, so that whatever else this turn of the event loop submits joins the group.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#commitNext();
    });
  }

  async #commitNext(): Promise<void> {
    const members = this.#take();
    if (members.length === 0) {
      // All went to the routing or the match queue; those behind them may go on.
      this.#schedule();
      return this.#noteIdle();
    }
    this.#groups++;
    this.#schedule();
    await this.#commit(members, false);
    this.#groups--;
    this.#schedule();
    this.#noteIdle();
  }

  /** Commits these in groups of their own: others in them would keep the routing locked for longer. */
  async #commitLocked(units: readonly PendingUnit[]): Promise<void> {
    const left = [...units];
    this.#lockedGroups.add(left);
    while (left.length > 0) await this.#commit(left.splice(0, endOfGroup(left)), true);
    this.#lockedGroups.delete(left);
    this.#noteIdle();
  }

  async #commit(members: readonly PendingUnit[], isRoutingLocked: boolean): Promise<void> {
    for (const member of members) member.group = members;
    this.#committing = [...this.#committing, members];
    const committed = commitUnits(members, this.#options, { putOff: this.#putOff, isRoutingLocked });
    // Only now: `commitUnits` has its indexes by then, so that none can fall out that was just loaded for this group.
    this.#options.routing.trim();
    await committed;
    this.#committing = this.#committing.filter((others) => others !== members);
    for (const member of members) if (member.group === members) this.#forget(member);
  }

  #isIdle(): boolean {
    const isWaiting = this.#waiting.length > 0 || !this.#routingQueue.isEmpty || !this.#matchQueue.isEmpty;
    return !isWaiting && this.#committing.length === 0 && this.#lockedGroups.size === 0;
  }

  #noteIdle(): void {
    if (this.#onIdle.length > 0 && this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /**
   * Takes the next group from those that wait. A unit whose routing is not at hand goes to the routing queue instead; a unit of a tenant
   * that has others in the match queue goes there, behind them.
   */
  #take(): readonly PendingUnit[] {
    const members: PendingUnit[] = [];
    const end = endOfGroup(this.#waiting);
    for (const unit of this.#waiting.splice(0, end)) {
      const missing = this.#options.routing.firstMissing(unit.unit);
      const ahead = this.#matchQueue.tenantAhead(unit);
      if (missing !== null) this.#awaitRouting(unit, missing);
      else if (ahead !== null) this.#awaitMatching(unit, ahead);
      else members.push(unit);
    }
    return members;
  }

  readonly #putOff: PutOff = (units, reason) => {
    const restless: PendingUnit[] = [];
    const later: PendingUnit[] = [];
    for (const unit of units) {
      unit.group = null;
      if (reason === 'maybe_stale') unit.isFresh = true;
      if (reason === 'changed' && ++unit.changes >= MAX_CHANGES) restless.push(unit);
      else if (unit.isExpired) this.#forget(unit);
      else if (reason === 'costly') this.#awaitMatching(unit, unit.costlyTenant!);
      else if (reason === 'later') later.push(unit);
      else this.#awaitRouting(unit, this.#options.routing.firstMissing(unit.unit) ?? unit.unit[0]!.tenant.num);
    }
    this.#rejoin(later);
    if (restless.length > 0)
      this.#fail(restless, new Error(`The routing of tenants changed ${MAX_CHANGES} times in a row.`));
  };

  #awaitRouting(unit: PendingUnit, tenantNum: number): void {
    if (this.#routingQueue.add(tenantNum, unit)) return;
    this.#forget(unit);
    unit.fail(overloaded());
  }

  #awaitMatching(unit: PendingUnit, tenantNum: number): void {
    if (this.#matchQueue.add(tenantNum, unit)) return;
    this.#forget(unit);
    unit.fail(this.#matchQueue.hasUnitsOf(tenantNum) ? tooCostly() : overloaded());
  }

  #rejoin(units: readonly PendingUnit[]): void {
    if (units.length === 0) return;
    // In the order of submission: most of these came before those that wait now.
    this.#waiting = [...units, ...this.#waiting].sort((one, other) => one.since - other.since);
    this.#schedule();
    this.#noteIdle();
  }

  #fail(units: readonly PendingUnit[], error: unknown): void {
    if (units.length > 0) failAll(units, error, this.#options);
    for (const unit of units) this.#forget(unit);
    this.#noteIdle();
  }

  #expire(): void {
    const before = this.#steadyMs() - this.#options.deadlineMs;
    const late = [this.#waiting, ...this.#lockedGroups].flatMap((units) => takeOlder(units, before));
    for (const unit of [...late, ...this.#routingQueue.takeOlder(before)]) {
      this.#forget(unit);
      unit.expire();
    }
    for (const unit of this.#matchQueue.takeOlder(before)) {
      this.#forget(unit);
      // Its keys were not looked up yet, so that none of it was matched: that may be because of Postgres, and not of the tenant's filters.
      if (unit.claimed === null) unit.expire();
      else unit.fail(tooCostly());
    }
    for (const members of this.#committing)
      for (const member of members) if (member.group === members && member.since < before) member.expire();
    this.#noteIdle();
  }

  #forget({ unit, bytes }: PendingUnit): void {
    this.#events -= unit.length;
    this.#bytes -= bytes;
  }
}

/** Takes out of the list what was submitted before this moment. */
function takeOlder(units: PendingUnit[], before: number): readonly PendingUnit[] {
  const late: PendingUnit[] = [];
  let kept = 0;
  for (const unit of units) {
    if (unit.since < before) late.push(unit);
    else units[kept++] = unit;
  }
  units.length = kept;
  return late;
}

/** @returns how many units, from the first on, make a group: at least one, then as many as its bounds allow */
function endOfGroup(units: readonly PendingUnit[]): number {
  let events = 0;
  let bytes = 0;
  let at = 0;
  for (; at < units.length; at++) {
    const { unit, bytes: size } = units[at]!;
    if (at > 0 && (events + unit.length > GROUP_EVENTS || bytes + size > GROUP_BYTES)) break;
    events += unit.length;
    bytes += size;
  }
  return at;
}

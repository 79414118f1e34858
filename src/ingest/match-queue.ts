import { TurnQueue } from '../accounts/turn-queue.ts';
import type { ClaimedBy } from '../store/claims.ts';
import { EndpointSets } from './endpoint-sets.ts';
import { MAX_DIRECT } from './fan-out.ts';
import { fateOf, holdersOf } from './fate.ts';
import type { Match } from './match.ts';
import { type MatchMeter, PieceMeter } from './match-meter.ts';
import type { PendingUnit } from './pending-unit.ts';
import type { RoutingCache } from './routing-cache.ts';
import { claimsOf, type PendingEvent } from './seal-event.ts';
import { type Room, type RoomBounds, WaitingRooms } from './waiting-rooms.ts';

export interface MatchQueueOptions extends RoomBounds {
  readonly routing: RoutingCache;
  /** A clock that never steps back. */
  readonly steadyMs: () => number;
  /** Longest that a unit waits, in ms. */
  readonly deadlineMs: number;
  readonly findClaims: (keys: readonly string[]) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Called with units whose events were matched: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Longest that events are matched at a stretch, in ms. The last one is matched to its end all the same. */
const PIECE_MS = 10;
/** The average begins with so many events that took no time: otherwise a first event that takes long would be taken for what all take. */
const UNKNOWN_EVENTS = 8;
/** Most units whose keys are looked up by one statement. */
const LOOKED_FOR = 100;

/** What is remembered of a room while it is open. */
interface Visit {
  readonly sets: EndpointSets;
  /** How long the last `events` events took, in ms, with the time in which other tenants had their turn. Older ones count less: see `passPiece`. */
  ms: number;
  events: number;
  /** When the last piece ended. */
  sinceMs: number;
  /** The unit in the midst of which the last piece ended; `done` of its events were matched by then. */
  head: PendingUnit | null;
  done: number;
}

/**
 * Where units wait whose events take long to be matched, in a room for each tenant. Their events are matched here in pieces. Between two
 * pieces others have the event loop, and other tenants have theirs (G4). What was found is kept on the events, so that the group that
 * stores them matches nothing again, as long as routing stays the same.
 */
export class MatchQueue {
  readonly #options: MatchQueueOptions;
  readonly #rooms: WaitingRooms;
  readonly #turns = new TurnQueue();
  readonly #visits = new WeakMap<Room, Visit>();

  constructor(options: MatchQueueOptions) {
    this.#options = options;
    this.#rooms = new WaitingRooms({ ...options, serve: (room) => this.#serve(room) });
  }

  get isEmpty(): boolean {
    return this.#rooms.isEmpty;
  }

  /**
   * @returns false if too much of the tenant, or of all tenants, waits already, or if the units before it take so long that it would not be
   * matched by its deadline
   */
  add(tenantNum: number, unit: PendingUnit): boolean {
    const room = this.#rooms.get(tenantNum);
    if (!this.#rooms.hasPlaceFor(tenantNum, unit) || (room !== undefined && this.#isLate(room, unit))) return false;
    unit.isMatched = false;
    this.#rooms.put(tenantNum, unit);
    return true;
  }

  /** Whether the unit would miss its deadline. It is refused at once then: else it would take time from units that can make it. */
  #isLate(room: Room, { unit, since }: PendingUnit): boolean {
    const { steadyMs, deadlineMs } = this.#options;
    const { ms, events, head, done } = this.#visitOf(room);
    const ahead = room.events - (room.units[0] === head ? done : 0);
    // A unit that was matched leaves only when its piece ends.
    const waitMs = (ahead + unit.length) * (ms / events) + PIECE_MS;
    return room.events > 0 && steadyMs() - since + waitMs > deadlineMs;
  }

  /** A tenant of the unit that has other units here: this one must not overtake them. Null when there is none. */
  tenantAhead({ unit, isMatched }: PendingUnit): number | null {
    if (isMatched || this.isEmpty) return null;
    return unit.find(({ tenant }) => this.hasUnitsOf(tenant.num))?.tenant.num ?? null;
  }

  hasUnitsOf(tenantNum: number): boolean {
    return (this.#rooms.get(tenantNum)?.units.length ?? 0) > 0;
  }

  /** Takes out what was submitted before this moment. */
  takeOlder(before: number): readonly PendingUnit[] {
    return this.#rooms.takeOlder(before);
  }

  async #serve(room: Room): Promise<void> {
    const visit = this.#visitOf(room);
    await this.#findClaims(room);
    await this.#turns.take(room.tenantNum, () => this.#options.rejoin(this.#matchSome(room, visit)));
  }

  #visitOf(room: Room): Visit {
    const known = this.#visits.get(room);
    if (known !== undefined) return known;
    const sinceMs = this.#options.steadyMs();
    const made = { sets: new EndpointSets(), ms: 0, events: UNKNOWN_EVENTS, sinceMs, head: null, done: 0 };
    this.#visits.set(room, made);
    return made;
  }

  /**
   * Looks up which keys are claimed already: what is stored is not matched again. A producer that sends again, because its answer came too
   * late, does not wait for that a second time.
   */
  async #findClaims({ units }: Room): Promise<void> {
    const some = units.filter(({ claimed }) => claimed === null).slice(0, LOOKED_FOR);
    const keys = some.flatMap(({ unit }) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
    const claimed = keys.length === 0 ? NO_CLAIMS : await this.#options.findClaims(keys);
    for (const unit of some) unit.claimed = claimed;
  }

  /** Matches one piece. @returns the units that are matched in full, taken out of the room */
  #matchSome(room: Room, visit: Visit): readonly PendingUnit[] {
    const { steadyMs } = this.#options;
    const meter = new PieceMeter(steadyMs, PIECE_MS);
    const holders = new Map<Claims, ReturnType<typeof holdersOf>>();
    let count = 0;
    visit.head = null;
    for (const unit of room.units) {
      if (unit.claimed === null || meter.isOver) break;
      // Units whose keys were looked up together share one map.
      const known = holders.get(unit.claimed) ?? holdersOf(unit.claimed);
      holders.set(unit.claimed, known);
      if (!this.#match(unit, meter, visit, known)) break;
      meter.begin();
      unit.isMatched = true;
      count++;
    }
    passPiece(visit, meter.events, steadyMs());
    return this.#rooms.shift(room, count);
  }

  /** @returns whether the unit is done here: all of it is matched, or it would be refused or has to wait elsewhere anyway */
  #match(pending: PendingUnit, meter: MatchMeter, visit: Visit, holders: ReturnType<typeof holdersOf>): boolean {
    const { unit } = pending;
    const tenants = new Set(unit.map(({ tenant }) => tenant.num));
    const { gone, missing, matcher } = this.#options.routing.atHand(tenants, meter);
    // It goes to the routing queue for that, and comes back here if it must.
    if (missing.size > 0) return true;
    for (const [done, event] of unit.entries()) {
      if (gone.has(event.tenant.num) || fateOf(event, holders) !== null) continue;
      const match = matcher.match(event.tenant.num, event);
      if (match === null) {
        [visit.head, visit.done] = [pending, done];
        return false;
      }
      if (match.endpoints !== null) keep(event, match, visit.sets);
      // The event takes too long by any measure, and a request is refused with it: its others need not be matched.
      else if (event.source === undefined) return true;
    }
    return true;
  }
}

/**
 * Adds a piece to the average. Each piece counts half as much as the one after it. Times and events are summed up apart, so that a piece of
 * few events that took long weighs as the few that they were.
 */
function passPiece(visit: Visit, events: number, nowMs: number): void {
  if (events > 0) {
    visit.ms = visit.ms / 2 + nowMs - visit.sinceMs;
    visit.events = visit.events / 2 + events;
  }
  visit.sinceMs = nowMs;
}

type Claims = ReadonlyMap<string, ClaimedBy>;

const NO_CLAIMS: Claims = new Map();

/** Shares long lists of endpoints among the events that wait: else each might hold a list of thousands. */
function keep(event: PendingEvent, match: Match, sets: EndpointSets): void {
  const { endpoints } = match;
  if (event.matched === match && endpoints.length > MAX_DIRECT)
    event.matched = { ...match, endpoints: sets.share(event.tenant.num, endpoints) };
}

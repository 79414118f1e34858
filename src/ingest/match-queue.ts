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
  /** For how long a unit waits at the most. */
  readonly deadlineMs: number;
  readonly findClaims: (keys: readonly string[]) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Takes units whose events were matched: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Longest that events are matched at a stretch; the last one to its end. */
const PIECE_MS = 10;
/** As many that took no time stand in for those before the first piece: one that took long is not what all take. */
const UNKNOWN_EVENTS = 8;
/** Units whose keys are looked for at once. */
const LOOKED_FOR = 100;

/** What is known of a room while it is open. */
interface Visit {
  readonly sets: EndpointSets;
  /** How long so many of its events took to be matched, with what went by while it was the turn of others. */
  ms: number;
  events: number;
  /** When the last piece ended. */
  sinceMs: number;
  /** The unit that the last piece ended in, and how many of its events were matched by then. */
  head: PendingUnit | null;
  done: number;
}

/**
 * Where units wait whose events take long to be matched, tenant by tenant: they are matched here, in pieces between which others have the event loop, and other tenants
 * their pieces (G4). The group that stores them in the end matches nothing again, as long as routing stays the same.
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

  /** @returns false where too much of the tenant, or of all, waits already, or it would not be matched in time by what those before it take */
  add(tenantNum: number, unit: PendingUnit): boolean {
    const room = this.#rooms.get(tenantNum);
    if (!this.#rooms.hasPlaceFor(tenantNum, unit) || (room !== undefined && this.#isLate(room, unit))) return false;
    unit.isMatched = false;
    this.#rooms.put(tenantNum, unit);
    return true;
  }

  /** Who is taken in vain takes the time of those who would come to an end. */
  #isLate(room: Room, { unit, since }: PendingUnit): boolean {
    const { steadyMs, deadlineMs } = this.#options;
    const { ms, events, head, done } = this.#visitOf(room);
    const ahead = room.events - (room.units[0] === head ? done : 0);
    // It goes on at the end of a piece.
    const waitMs = (ahead + unit.length) * (ms / events) + PIECE_MS;
    return room.events > 0 && steadyMs() - since + waitMs > deadlineMs;
  }

  /** A tenant of the unit of which others wait here, so that it is not to go before them; null when there is none. */
  tenantAhead({ unit, isMatched }: PendingUnit): number | null {
    if (isMatched || this.isEmpty) return null;
    return unit.find(({ tenant }) => this.hasUnitsOf(tenant.num))?.tenant.num ?? null;
  }

  hasUnitsOf(tenantNum: number): boolean {
    return (this.#rooms.get(tenantNum)?.units.length ?? 0) > 0;
  }

  /** Takes out what has waited since before this moment. */
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

  /** What is stored already is not matched: who sends again what took too long comes to an end. */
  async #findClaims({ units }: Room): Promise<void> {
    const some = units.filter(({ claimed }) => claimed === null).slice(0, LOOKED_FOR);
    const keys = some.flatMap(({ unit }) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
    const claimed = keys.length === 0 ? NO_CLAIMS : await this.#options.findClaims(keys);
    for (const unit of some) unit.claimed = claimed;
  }

  /** @returns those of which all is matched, no longer in the room */
  #matchSome(room: Room, visit: Visit): readonly PendingUnit[] {
    const { steadyMs } = this.#options;
    const meter = new PieceMeter(steadyMs, PIECE_MS);
    const holders = new Map<Claims, ReturnType<typeof holdersOf>>();
    let count = 0;
    visit.head = null;
    for (const unit of room.units) {
      if (unit.claimed === null || meter.isOver) break;
      // Units whose keys were looked for together share what was found.
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

  /** @returns whether there is nothing left of it, or nothing that could be matched now */
  #match(pending: PendingUnit, meter: MatchMeter, visit: Visit, holders: ReturnType<typeof holdersOf>): boolean {
    const { unit } = pending;
    const tenants = new Set(unit.map(({ tenant }) => tenant.num));
    const { gone, missing, matcher } = this.#options.routing.atHand(tenants, meter);
    // It waits for that elsewhere, and comes again.
    if (missing.size > 0) return true;
    for (const [done, event] of unit.entries()) {
      if (gone.has(event.tenant.num) || fateOf(event, holders) !== null) continue;
      const match = matcher.match(event.tenant.num, event);
      if (match === null) {
        [visit.head, visit.done] = [pending, done];
        return false;
      }
      if (match.endpoints !== null) keep(event, match, visit.sets);
      // All of a request is refused with it.
      else if (event.source === undefined) return true;
    }
    return true;
  }
}

/** Each piece counts for half as much as the one after it: the few events of one that took long are told from the many of others. */
function passPiece(visit: Visit, events: number, nowMs: number): void {
  if (events > 0) {
    visit.ms = visit.ms / 2 + nowMs - visit.sinceMs;
    visit.events = visit.events / 2 + events;
  }
  visit.sinceMs = nowMs;
}

type Claims = ReadonlyMap<string, ClaimedBy>;

const NO_CLAIMS: Claims = new Map();

/** Events that wait must not each hold a list of thousands. */
function keep(event: PendingEvent, match: Match, sets: EndpointSets): void {
  const { endpoints } = match;
  if (event.matched === match && endpoints.length > MAX_DIRECT)
    event.matched = { ...match, endpoints: sets.share(event.tenant.num, endpoints) };
}

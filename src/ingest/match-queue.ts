import { TurnQueue } from '../event-types/turn-queue.ts';
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
  readonly nowMs: () => number;
  /** For how long a unit waits at the most. */
  readonly deadlineMs: number;
  readonly findClaims: (keys: readonly string[]) => Promise<ReadonlyMap<string, ClaimedBy>>;
  /** Takes units whose events were matched: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Longest that events are matched at a stretch; the last one to its end. */
const PIECE_MS = 10;
/** Units whose keys are looked for at once. */
const LOOKED_FOR = 100;

/**
 * Where units wait whose events take long to be matched, tenant by tenant: they are matched here, in pieces between which others have the event loop, and other tenants
 * their pieces (G4). The group that stores them in the end matches nothing again, as long as routing stays the same.
 */
export class MatchQueue {
  readonly #options: MatchQueueOptions;
  readonly #rooms: WaitingRooms;
  readonly #turns = new TurnQueue();
  /** How long an event took last, in ms, of tenants whose events wait here. */
  readonly #msPerEvent = new WeakMap<Room, number>();

  constructor(options: MatchQueueOptions) {
    this.#options = options;
    this.#rooms = new WaitingRooms(options);
  }

  get isEmpty(): boolean {
    return this.#rooms.isEmpty;
  }

  /** @returns false where too much of the tenant, or of all, waits already, or it would not be matched in time by what those before it take */
  add(tenantNum: number, unit: PendingUnit): boolean {
    const room = this.#rooms.get(tenantNum);
    if (!this.#rooms.hasPlaceFor(tenantNum, unit) || (room !== undefined && this.#isLate(room, unit))) return false;
    unit.isMatched = false;
    this.#rooms.put(room ?? this.#open(tenantNum), unit);
    return true;
  }

  /** Who is taken in vain takes the time of those who would come to an end. */
  #isLate(room: Room, { unit, since }: PendingUnit): boolean {
    const msPerEvent = this.#msPerEvent.get(room) ?? 0;
    const waitMs = (room.events + unit.length) * msPerEvent * this.#rooms.count;
    return room.events > 0 && performance.now() - since + waitMs > this.#options.deadlineMs;
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

  #open(tenantNum: number): Room {
    const room = this.#rooms.open(tenantNum);
    void this.#serve(room);
    return room;
  }

  async #serve(room: Room): Promise<void> {
    const { rejoin, fail } = this.#options;
    try {
      // What comes in this turn of the event loop is served too.
      await Promise.resolve();
      const sets = new EndpointSets();
      while (room.units.length > 0) {
        await this.#findClaims(room);
        await this.#turns.take(room.tenantNum, () => rejoin(this.#matchSome(room, sets)));
      }
    } catch (error) {
      fail(this.#rooms.empty(room), error);
    } finally {
      this.#rooms.close(room);
    }
  }

  /** What is stored already is not matched: who sends again what took too long comes to an end. */
  async #findClaims({ units }: Room): Promise<void> {
    const some = units.filter(({ claimed }) => claimed === null).slice(0, LOOKED_FOR);
    const keys = some.flatMap(({ unit }) => unit.flatMap((event) => claimsOf(event).map(({ key }) => key)));
    const claimed = keys.length === 0 ? NO_CLAIMS : await this.#options.findClaims(keys);
    for (const unit of some) unit.claimed = claimed;
  }

  /** @returns those of which all is matched, no longer in the room */
  #matchSome(room: Room, sets: EndpointSets): readonly PendingUnit[] {
    const { nowMs } = this.#options;
    const meter = new PieceMeter(nowMs, PIECE_MS);
    const beganMs = nowMs();
    const holders = new Map<Claims, ReturnType<typeof holdersOf>>();
    let count = 0;
    for (const unit of room.units) {
      if (unit.claimed === null || meter.isOver) break;
      // Units whose keys were looked for together share what was found.
      const known = holders.get(unit.claimed) ?? holdersOf(unit.claimed);
      holders.set(unit.claimed, known);
      if (!this.#match(unit, meter, sets, known)) break;
      meter.begin();
      unit.isMatched = true;
      count++;
    }
    if (meter.events > 0) this.#msPerEvent.set(room, (nowMs() - beganMs) / meter.events);
    return this.#rooms.shift(room, count);
  }

  /** @returns whether there is nothing left of it, or nothing that could be matched now */
  #match({ unit }: PendingUnit, meter: MatchMeter, sets: EndpointSets, holders: ReturnType<typeof holdersOf>): boolean {
    const tenants = new Set(unit.map(({ tenant }) => tenant.num));
    const { gone, missing, matcher } = this.#options.routing.atHand(tenants, meter);
    // It waits for that elsewhere, and comes again.
    if (missing.size > 0) return true;
    for (const event of unit) {
      if (gone.has(event.tenant.num) || fateOf(event, holders) !== null) continue;
      const match = matcher.match(event.tenant.num, event);
      if (match === null) return false;
      if (match.endpoints !== null) keep(event, match, sets);
      // All of a request is refused with it.
      else if (event.source === undefined) return true;
    }
    return true;
  }
}

type Claims = ReadonlyMap<string, ClaimedBy>;

const NO_CLAIMS: Claims = new Map();

/** Events that wait must not each hold a list of thousands. */
function keep(event: PendingEvent, match: Match, sets: EndpointSets): void {
  const { endpoints } = match;
  if (event.matched === match && endpoints.length > MAX_DIRECT)
    event.matched = { ...match, endpoints: sets.share(event.tenant.num, endpoints) };
}

import type { PendingUnit } from './pending-unit.ts';

/** Units that wait for something of one tenant. */
export interface Room {
  readonly tenantNum: number;
  units: PendingUnit[];
  events: number;
  bytes: number;
}

/** What may wait in all rooms together: it must not fill the buffer of all. */
export interface RoomBounds {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export interface RoomService extends RoomBounds {
  /** Does some of what units of the room wait for, and takes out those that need nothing more of it. It is done again as long as some wait there. */
  readonly serve: (room: Room) => Promise<void>;
  /** Takes all units of a room whose serving failed. */
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Where units wait for something, tenant by tenant: a room is open, and served, as long as some wait there. */
export class WaitingRooms {
  readonly #service: RoomService;
  readonly #rooms = new Map<number, Room>();
  #events = 0;
  #bytes = 0;

  constructor(service: RoomService) {
    this.#service = service;
  }

  /** Whether nothing waits; rooms may be open. */
  get isEmpty(): boolean {
    return this.#events === 0;
  }

  get(tenantNum: number): Room | undefined {
    return this.#rooms.get(tenantNum);
  }

  /**
   * A room has no more than is left for the others, so that there is always something left for a tenant that has none; a unit that is larger than that still passes alone.
   * @returns false where too much of the tenant, or of all, waits already
   */
  hasPlaceFor(tenantNum: number, unit: PendingUnit): boolean {
    const { maxEvents, maxBytes } = this.#service;
    const leftEvents = maxEvents - this.#events - unit.unit.length;
    const leftBytes = maxBytes - this.#bytes - unit.bytes;
    const isFull = leftEvents < 0 || leftBytes < 0;
    if (isFull && this.#events > 0) return false;
    const { events, bytes } = this.#rooms.get(tenantNum) ?? NOTHING;
    const isTooMuch = events + unit.unit.length > leftEvents || bytes + unit.bytes > leftBytes;
    return !(isTooMuch && events > 0);
  }

  put(tenantNum: number, unit: PendingUnit): void {
    this.#putInto(this.#rooms.get(tenantNum) ?? this.#open(tenantNum), unit);
  }

  /** @returns what waited there */
  empty(room: Room): readonly PendingUnit[] {
    const { units } = room;
    room.units = [];
    this.#count(room, -room.events, -room.bytes);
    return units;
  }

  /** Takes out the first ones. */
  shift(room: Room, count: number): readonly PendingUnit[] {
    const units = room.units.splice(0, count);
    for (const { unit, bytes } of units) this.#count(room, -unit.length, -bytes);
    return units;
  }

  /** Takes out what has waited since before this moment. */
  takeOlder(before: number): readonly PendingUnit[] {
    const late: PendingUnit[] = [];
    for (const room of this.#rooms.values()) {
      if (!room.units.some(({ since }) => since < before)) continue;
      for (const unit of this.empty(room)) {
        if (unit.since < before) late.push(unit);
        else this.#putInto(room, unit);
      }
    }
    return late;
  }

  #open(tenantNum: number): Room {
    const room = { tenantNum, units: [], ...NOTHING };
    this.#rooms.set(tenantNum, room);
    void this.#serve(room);
    return room;
  }

  async #serve(room: Room): Promise<void> {
    const { serve, fail } = this.#service;
    // What comes in this turn of the event loop is served too.
    await Promise.resolve();
    try {
      while (room.units.length > 0) await serve(room);
    } catch (error) {
      fail(this.empty(room), error);
    } finally {
      this.#rooms.delete(room.tenantNum);
    }
  }

  #putInto(room: Room, unit: PendingUnit): void {
    room.units.push(unit);
    this.#count(room, unit.unit.length, unit.bytes);
  }

  #count(room: Room, events: number, bytes: number): void {
    room.events += events;
    room.bytes += bytes;
    this.#events += events;
    this.#bytes += bytes;
  }
}

const NOTHING = { events: 0, bytes: 0 };

import type { PendingUnit } from './pending-unit.ts';

/** The units that wait for something of one tenant. */
export interface Room {
  readonly tenantNum: number;
  units: PendingUnit[];
  events: number;
  bytes: number;
}

/** What may wait in all rooms together. It is less than the buffer, so that units which need not wait find room there. */
export interface RoomBounds {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export interface RoomService extends RoomBounds {
  /** Does some of what the units of the room wait for, and takes out those that need nothing more. Called again as long as units wait there. */
  readonly serve: (room: Room) => Promise<void>;
  /** Called with all units of a room when `serve` has failed. */
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Where units wait for something, in a room for each tenant. A room is open, and served, as long as units wait there. */
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
   * A room may hold no more than it leaves free for all others, so that there is always some left for a tenant that has none yet. A unit
   * that is larger than that is still taken when it is alone.
   * @returns false if too much of the tenant, or of all tenants, waits already
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

  /** Takes out all units. */
  empty(room: Room): readonly PendingUnit[] {
    const { units } = room;
    room.units = [];
    this.#count(room, -room.events, -room.bytes);
    return units;
  }

  /** Takes out the first `count` units. */
  shift(room: Room, count: number): readonly PendingUnit[] {
    const units = room.units.splice(0, count);
    for (const { unit, bytes } of units) this.#count(room, -unit.length, -bytes);
    return units;
  }

  /** Takes out what was submitted before this moment. */
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
    // A microtask later, so that units that are put in until then are served with it.
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

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

/** Where units wait for something, tenant by tenant. */
export class WaitingRooms {
  readonly #bounds: RoomBounds;
  readonly #rooms = new Map<number, Room>();
  #events = 0;
  #bytes = 0;

  constructor(bounds: RoomBounds) {
    this.#bounds = bounds;
  }

  /** Whether nothing waits; rooms may be open. */
  get isEmpty(): boolean {
    return this.#events === 0;
  }

  /** Rooms that are open. */
  get count(): number {
    return this.#rooms.size;
  }

  get(tenantNum: number): Room | undefined {
    return this.#rooms.get(tenantNum);
  }

  /**
   * A room has no more than is left for the others, so that there is always something left for a tenant that has none; a unit that is larger than that still passes alone.
   * @returns false where too much of the tenant, or of all, waits already
   */
  hasPlaceFor(tenantNum: number, unit: PendingUnit): boolean {
    const leftEvents = this.#bounds.maxEvents - this.#events - unit.unit.length;
    const leftBytes = this.#bounds.maxBytes - this.#bytes - unit.bytes;
    const isFull = leftEvents < 0 || leftBytes < 0;
    if (isFull && this.#events > 0) return false;
    const { events, bytes } = this.#rooms.get(tenantNum) ?? NOTHING;
    const isTooMuch = events + unit.unit.length > leftEvents || bytes + unit.bytes > leftBytes;
    return !(isTooMuch && events > 0);
  }

  open(tenantNum: number): Room {
    const room = { tenantNum, units: [], ...NOTHING };
    this.#rooms.set(tenantNum, room);
    return room;
  }

  close({ tenantNum }: Room): void {
    this.#rooms.delete(tenantNum);
  }

  put(room: Room, unit: PendingUnit): void {
    room.units.push(unit);
    this.#count(room, unit.unit.length, unit.bytes);
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
        else this.put(room, unit);
      }
    }
    return late;
  }

  #count(room: Room, events: number, bytes: number): void {
    room.events += events;
    room.bytes += bytes;
    this.#events += events;
    this.#bytes += bytes;
  }
}

const NOTHING = { events: 0, bytes: 0 };

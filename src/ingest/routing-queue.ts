import { type PendingUnit, tenantsOf } from './pending-unit.ts';
import type { RoutingCache } from './routing-cache.ts';

/** Keeps the routing of these tenants as it is until what it resolves with is called. */
export type HoldRouting = (tenants: ReadonlySet<number>) => Promise<() => void>;

export interface RoutingQueueOptions {
  readonly routing: RoutingCache;
  readonly holdRouting: HoldRouting;
  /** Takes units whose routing was read: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  /** Commits units by themselves: their routing is held until it has ended. */
  readonly commit: (units: readonly PendingUnit[]) => Promise<void>;
  /** Takes units whose routing could not be read. */
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
  /** What of one tenant may wait: it must not fill the buffer of all. */
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Units that wait for the routing of one tenant. */
interface Room {
  units: PendingUnit[];
  events: number;
  bytes: number;
}

/** How often routing may change before it is held: a tenant whose endpoints are made by the hundred, several at a time, changes faster than anything is planned. */
const CHANGES_BEFORE_HOLD = 2;
/** Tenants whose routing is held at once: sessions of Postgres are few. */
const MOST_HOLDS = 2;

/**
 * Where units wait whose routing is not at hand, tenant by tenant: what one tenant's routing takes to be read keeps no other's events from a group (G4). Each tenant has
 * one read at a time, however many of its units wait.
 */
export class RoutingQueue {
  readonly #options: RoutingQueueOptions;
  readonly #rooms = new Map<number, Room>();
  #holds = 0;
  readonly #waitingToHold: (() => void)[] = [];

  constructor(options: RoutingQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    for (const { units } of this.#rooms.values()) if (units.length > 0) return false;
    return true;
  }

  /** @returns false where too much of the tenant waits already; a unit that is larger than that still passes alone */
  add(tenantNum: number, unit: PendingUnit): boolean {
    const room = this.#rooms.get(tenantNum) ?? this.#open(tenantNum);
    const { maxEvents, maxBytes } = this.#options;
    const isFull = room.events + unit.unit.length > maxEvents || room.bytes + unit.bytes > maxBytes;
    if (isFull && room.units.length > 0) return false;
    put(room, unit);
    return true;
  }

  /** Takes out what has waited since before this moment. */
  takeOlder(before: number): readonly PendingUnit[] {
    const late: PendingUnit[] = [];
    for (const room of this.#rooms.values()) {
      if (!room.units.some(({ since }) => since < before)) continue;
      const { units } = room;
      empty(room);
      for (const unit of units) {
        if (unit.since < before) late.push(unit);
        else put(room, unit);
      }
    }
    return late;
  }

  #open(tenantNum: number): Room {
    const room = { units: [], events: 0, bytes: 0 };
    this.#rooms.set(tenantNum, room);
    void this.#serve(tenantNum, room);
    return room;
  }

  async #serve(tenantNum: number, room: Room): Promise<void> {
    const { routing, rejoin, commit, fail } = this.#options;
    let release: (() => void) | null = null;
    // What comes in this turn of the event loop is served too.
    await Promise.resolve();
    try {
      while (room.units.length > 0) {
        await routing.prepare([tenantNum]);
        if (release === null && room.units.some(isRestless)) {
          release = await this.#hold(room);
          // Most is read already: what is held is held for what changed since.
          if (release !== null) routing.forget([tenantNum]);
          await routing.prepare([tenantNum]);
        }
        const units = empty(room);
        if (release === null) rejoin(units);
        else await commit(units);
      }
    } catch (error) {
      fail(empty(room), error);
    } finally {
      this.#rooms.delete(tenantNum);
      release?.();
    }
  }

  /** Null where it cannot be held: the next try may be as good as any. */
  async #hold(room: Room): Promise<(() => void) | null> {
    if (this.#holds < MOST_HOLDS) this.#holds++;
    else await new Promise<void>((resolve) => this.#waitingToHold.push(resolve));
    const end =
      room.units.length === 0 ? null : await this.#options.holdRouting(tenantsOf(room.units)).catch(() => null);
    if (end === null) {
      this.#passOn();
      return null;
    }
    return () => {
      end();
      this.#passOn();
    };
  }

  #passOn(): void {
    const next = this.#waitingToHold.shift();
    if (next === undefined) this.#holds--;
    else next();
  }
}

const isRestless = ({ changes }: PendingUnit) => changes >= CHANGES_BEFORE_HOLD;

function put(room: Room, unit: PendingUnit): void {
  room.units.push(unit);
  room.events += unit.unit.length;
  room.bytes += unit.bytes;
}

function empty(room: Room): readonly PendingUnit[] {
  const { units } = room;
  room.units = [];
  room.events = 0;
  room.bytes = 0;
  return units;
}

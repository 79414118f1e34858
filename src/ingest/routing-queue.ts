import { type PendingUnit, tenantsOf } from './pending-unit.ts';
import type { RoutingCache } from './routing-cache.ts';
import { type Room, type RoomBounds, WaitingRooms } from './waiting-rooms.ts';

/** Locks the routing of these tenants. @returns what releases it */
export type HoldRouting = (tenants: ReadonlySet<number>) => Promise<() => void>;

export interface RoutingQueueOptions extends RoomBounds {
  readonly routing: RoutingCache;
  readonly holdRouting: HoldRouting;
  /** Called with units whose routing was read: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  /** Commits units by themselves. Their routing stays locked until this resolves. */
  readonly commit: (units: readonly PendingUnit[]) => Promise<void>;
  /** Called with units whose routing could not be read. */
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Routing that does not change until it is released. */
interface Hold {
  readonly tenants: ReadonlySet<number>;
  readonly release: () => void;
}

/**
 * How often the commits of a unit may be refused for changes of routing before it is locked for them. A tenant whose endpoints are made
 * by the hundred, several at a time, changes faster than a commit is planned.
 */
const CHANGES_BEFORE_HOLD = 2;
/** Most locks at once: each takes a session of Postgres, and these are few. */
const MOST_HOLDS = 2;

/**
 * Where units wait whose routing is not at hand, in a room for each tenant. However long one tenant's routing takes to be read, it keeps
 * no other tenant's events out of a group (G4). Each tenant has one read at a time, however many of its units wait.
 */
export class RoutingQueue {
  readonly #options: RoutingQueueOptions;
  readonly #rooms: WaitingRooms;
  #holds = 0;
  readonly #waitingToHold: (() => void)[] = [];

  constructor(options: RoutingQueueOptions) {
    this.#options = options;
    this.#rooms = new WaitingRooms({ ...options, serve: (room) => this.#serve(room) });
  }

  get isEmpty(): boolean {
    return this.#rooms.isEmpty;
  }

  /** @returns false if too much of the tenant, or of all tenants, waits already */
  add(tenantNum: number, unit: PendingUnit): boolean {
    if (!this.#rooms.hasPlaceFor(tenantNum, unit)) return false;
    this.#rooms.put(tenantNum, unit);
    // Begins the reads for all tenants of the unit: else it would wait here once for each of them.
    this.#beginReads(tenantsOf([unit]), [unit]);
    return true;
  }

  /** Takes out what was submitted before this moment. */
  takeOlder(before: number): readonly PendingUnit[] {
    return this.#rooms.takeOlder(before);
  }

  async #serve(room: Room): Promise<void> {
    await this.#read(room, new Set([room.tenantNum]));
    if (room.units.some(isRestless)) await this.#commitLocked(room);
    else this.#options.rejoin(this.#rooms.empty(room));
  }

  /** Reads the routing of these tenants, where it is not at hand. */
  async #read({ units }: Room, tenants: ReadonlySet<number>): Promise<void> {
    this.#beginReads(tenants, units);
    await this.#options.routing.prepare(tenants);
  }

  #beginReads(tenants: ReadonlySet<number>, units: readonly PendingUnit[]): void {
    const { routing } = this.#options;
    const read = new Set([...tenants].filter((num) => routing.isToBeRead(num)));
    if (read.size === 0) return;
    routing.begin(read);
    // The read begins after these units were submitted: a refusal by what it brings can be believed.
    for (const unit of units) unit.isFresh ||= unit.isWithin(read);
  }

  /**
   * Locks the routing, reads it, and commits the units of the room before it is released. Units that come to the room meanwhile are served
   * after that, so that changes of routing come in between.
   */
  async #commitLocked(room: Room): Promise<void> {
    const { routing, rejoin, commit } = this.#options;
    const hold = await this.#hold(room);
    try {
      // Read again under the lock. Only what has changed is read in fact, because most of it is known.
      if (hold !== null) routing.forget(hold.tenants);
      await this.#read(room, hold?.tenants ?? new Set([room.tenantNum]));
      const units = this.#rooms.empty(room);
      if (hold === null) rejoin(units);
      else await commit(units);
    } finally {
      hold?.release();
    }
  }

  /** Null where it cannot be locked: the units are then tried like any others, once more. */
  async #hold(room: Room): Promise<Hold | null> {
    if (this.#holds < MOST_HOLDS) this.#holds++;
    else await new Promise<void>((resolve) => this.#waitingToHold.push(resolve));
    const tenants = tenantsOf(room.units);
    const end = tenants.size === 0 ? null : await this.#options.holdRouting(tenants).catch(() => null);
    if (end === null) {
      this.#passOn();
      return null;
    }
    const release = () => {
      end();
      this.#passOn();
    };
    return { tenants, release };
  }

  #passOn(): void {
    const next = this.#waitingToHold.shift();
    if (next === undefined) this.#holds--;
    else next();
  }
}

const isRestless = ({ changes }: PendingUnit) => changes >= CHANGES_BEFORE_HOLD;

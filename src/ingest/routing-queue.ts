import { type PendingUnit, tenantsOf } from './pending-unit.ts';
import type { RoutingCache } from './routing-cache.ts';
import { type Room, type RoomBounds, WaitingRooms } from './waiting-rooms.ts';

/** Keeps the routing of these tenants as it is until what it resolves with is called. */
export type HoldRouting = (tenants: ReadonlySet<number>) => Promise<() => void>;

export interface RoutingQueueOptions extends RoomBounds {
  readonly routing: RoutingCache;
  readonly holdRouting: HoldRouting;
  /** Takes units whose routing was read: they may go into any group. */
  readonly rejoin: (units: readonly PendingUnit[]) => void;
  /** Commits units by themselves. Their routing stays locked until this resolves. */
  readonly commit: (units: readonly PendingUnit[]) => Promise<void>;
  /** Takes units whose routing could not be read. */
  readonly fail: (units: readonly PendingUnit[], error: unknown) => void;
}

/** Routing that does not change until it is released. */
interface Hold {
  readonly tenants: ReadonlySet<number>;
  readonly release: () => void;
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

  /** @returns false where too much of the tenant, or of all, waits already */
  add(tenantNum: number, unit: PendingUnit): boolean {
    if (!this.#rooms.hasPlaceFor(tenantNum, unit)) return false;
    this.#rooms.put(tenantNum, unit);
    // Of all its tenants: it would else meet one after the other.
    this.#beginReads(tenantsOf([unit]), [unit]);
    return true;
  }

  /** Takes out what has waited since before this moment. */
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
    // What is read for a unit need not be read anew lest it be stale.
    for (const unit of units) unit.isFresh ||= unit.isWithin(read);
  }

  /** Under a hold that ends with the commit: what comes to the room meanwhile has a turn of its own, and changes come in between. */
  async #commitLocked(room: Room): Promise<void> {
    const { routing, rejoin, commit } = this.#options;
    const hold = await this.#hold(room);
    try {
      // Most is read already: what is held is held for what changed since.
      if (hold !== null) routing.forget(hold.tenants);
      await this.#read(room, hold?.tenants ?? new Set([room.tenantNum]));
      const units = this.#rooms.empty(room);
      if (hold === null) rejoin(units);
      else await commit(units);
    } finally {
      hold?.release();
    }
  }

  /** Null where it cannot be held: the next try may be as good as any. */
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

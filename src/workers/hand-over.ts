import type { ExpectedDeliveries } from '../lane-waker.ts';
import type { NewDelivery } from '../store/event-log.ts';
import type { DueDelivery } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Lane } from './lane.ts';
import type { RowInMemory } from './rows-in-memory.ts';
import type { Places } from './send-scheduler.ts';

export interface HandOverOptions {
  readonly desks: Pick<Desks, 'list' | 'memory' | 'crowding' | 'inMemory' | 'admit' | 'tableWrites'>;
  /** The lanes that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** Loses lanes whose lease must have run out: the process may have stood still while a commit was under way. */
  readonly fence: () => void;
  /** Asks for a round: there is something to park. */
  readonly requestRound: () => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

type Bodies = Parameters<ExpectedDeliveries['arrived']>[1];

interface Awaited {
  readonly due: DueDelivery;
  readonly row: RowInMemory;
  readonly desk: Desk;
  /** Whether it counts as expected at its desk. */
  holdsPlace: boolean;
}

/** What is awaited of one commit. */
interface Commit {
  readonly rows: Awaited[];
  /** The lanes and events of deliveries that are left to the next read. */
  readonly left: { readonly lanes: Set<number>; readonly events: Set<string> };
  /** Lanes of deliveries that were left for want of room or slots: what comes later may not go before them. */
  readonly lanesWithoutRoom: Set<number>;
  readonly endpoints: Map<number, number>;
  /** When the commit was about to be sent, in ms of `performance.now()`. */
  readonly sentAt: number;
}

/**
 * Hands deliveries over in memory where the process that commits them owns their lanes: they need not be read. They are noted as expected
 * before the commit is sent, so that no read takes them too. The answer to the commit tells which of their endpoints have changed.
 *
 * A delivery is handed over only if there is room for it, and not if its endpoint is closed, has a backlog or keeps an order. All others
 * wait for the next read, like the deliveries that other processes commit.
 */
export class HandOver {
  readonly #options: HandOverOptions;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /**
   * Call just before the commit is sent. Null: this process takes none of these deliveries. If it takes none only for want of room, the
   * result is not null: `arrived` must still mark the lane as behind.
   */
  expect(deliveries: readonly NewDelivery[]): ExpectedDeliveries | null {
    const { memory } = this.#options.desks;
    const commit: Commit = {
      rows: [],
      left: { lanes: new Set(), events: new Set() },
      lanesWithoutRoom: new Set(),
      endpoints: new Map(),
      sentAt: performance.now(),
    };
    const room = memory.rowsForHandOver;
    const dueAtMs = this.#options.nowMs();
    const places = this.#options.desks.crowding.places();
    for (const delivery of deliveries) this.#await(delivery, commit, { room, places }, dueAtMs);
    if (commit.rows.length === 0 && commit.lanesWithoutRoom.size === 0) return null;
    let isOver = false;
    return {
      endpoints: commit.endpoints,
      arrived: (changed, bodies) => {
        if (!isOver) this.#arrive(commit, new Set(changed), bodies);
        isOver = true;
        return commit.left;
      },
      missed: (mayBeStored) => {
        if (!isOver) this.#miss(commit, mayBeStored);
        isOver = true;
      },
    };
  }

  #await(
    delivery: NewDelivery,
    { rows, left, lanesWithoutRoom, endpoints }: Commit,
    { room, places }: { readonly room: number; readonly places: Places | null },
    dueAtMs: number,
  ): void {
    const { list, inMemory, memory } = this.#options.desks;
    const { eventUuid, lane: number, endpointNum, tenantNum, orderKey } = delivery;
    const lane = this.#options.lanes.get(number);
    const desk = list.get(endpointNum);
    const isKnown = lane?.takesFromMemory === true && desk !== undefined && orderKey === null;
    if (!isKnown || desk.hasParked || desk.flood !== null || !desk.isOpen(dueAtMs)) {
      left.lanes.add(number);
      left.events.add(eventUuid);
      return;
    }
    const share = memory.rowsPerEndpoint(desk.maxUsefulInFlight, inMemory.endpoints);
    const hasShare =
      desk.waiting.length + desk.lines.waiting + desk.expected < share && memory.tenantMayHaveMore(tenantNum);
    if (rows.length >= room || !hasShare || places?.take(tenantNum) === false) {
      left.lanes.add(number);
      left.events.add(eventUuid);
      lanesWithoutRoom.add(number);
      return;
    }
    const kind = { attempt: 0, step: 0, isReplay: false, isParked: false, order: null };
    const due = { ...delivery, ...kind, dueAtMs, endpointVersion: desk.version };
    desk.expected++;
    rows.push({ due, row: inMemory.expect(due, lane), desk, holdsPlace: true });
    endpoints.set(desk.num, desk.version);
  }

  #arrive({ rows, left, lanesWithoutRoom, sentAt }: Commit, changed: ReadonlySet<number>, bodies: Bodies): void {
    const { lanes } = this.#options;
    const isFenced = this.#fence();
    const taken: Awaited[] = [];
    for (const one of rows) {
      const { row } = one;
      if (isFenced && row.state === 'expected' && this.#isOurs(one) && !changed.has(row.endpointNum)) {
        taken.push(one);
        continue;
      }
      this.#leave(one);
      left.lanes.add(row.lane.number);
      left.events.add(row.eventUuid);
    }
    for (const number of lanesWithoutRoom) lanes.get(number)?.fellBehind();
    // Producers hear of their events first.
    if (taken.length > 0) setImmediate(() => this.#admit(taken, bodies, sentAt));
  }

  #admit(taken: readonly Awaited[], bodies: Bodies, sentAt: number): void {
    const { desks, requestRound, onFailure } = this.#options;
    const isFenced = this.#fence();
    const now = performance.now();
    const rows: DueDelivery[] = [];
    for (const one of taken) {
      const { row, due } = one;
      const isAwaited = row.state === 'expected';
      row.lane.onHandedRows(now);
      if (isFenced && isAwaited && this.#isOurs(one)) {
        this.#release(one);
        rows.push(due);
      } else {
        this.#leave(one);
        row.lane.wake();
      }
    }
    try {
      desks.admit(rows, bodies, this.#laneOf, sentAt);
    } catch (error) {
      // They are in the table, and are read when their lanes look again.
      onFailure('hand-over', error);
    }
    if (!desks.tableWrites.isEmpty || rows.length < taken.length) requestRound();
  }

  #miss({ rows }: Commit, mayBeStored: boolean): void {
    for (const one of rows) {
      if (!mayBeStored) {
        this.#release(one);
        continue;
      }
      this.#leave(one);
      one.row.lane.lookBack();
      one.row.lane.looks.resweepRecent(this.#options.nowMs());
    }
    if (mayBeStored) this.#options.requestRound();
  }

  /** Leaves the delivery to the next read. */
  #leave(one: Awaited): void {
    this.#release(one);
    // A flood's parking may have taken it along before this process knew that it was committed.
    if (one.desk.wasFlooded) one.desk.markParked();
  }

  /**
   * Ends the expecting of a delivery; further calls do nothing. When a commit's hand-over fails midway, all its deliveries are released.
   */
  #release(one: Awaited): void {
    if (one.holdsPlace) one.desk.expected--;
    one.holdsPlace = false;
    this.#options.desks.inMemory.expectNoMore(one.row);
  }

  readonly #laneOf = ({ lane }: DueDelivery): Lane | undefined => this.#options.lanes.get(lane);

  /**
   * @returns false if fencing failed, so that it is unknown which lanes are ours. (Losing a lane aborts its requests, which lets others be
   * sent.)
   */
  #fence(): boolean {
    try {
      this.#options.fence();
      return true;
    } catch (error) {
      this.#options.onFailure('hand-over', error);
      return false;
    }
  }

  /**
   * Whether the lane and the desk are still the same. A lane that was lost and taken again is another one: another process may have sent
   * its deliveries meanwhile.
   */
  #isOurs({ row: { lane }, desk }: Awaited): boolean {
    const { lanes, desks } = this.#options;
    if (lanes.get(lane.number) !== lane || lane.isDraining || lane.isLeaving) return false;
    return desks.list.get(desk.num) === desk;
  }
}

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
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** Loses lanes whose lease must have run out: the process may have stood still while a commit was under way. */
  readonly fence: () => void;
  /** There is something to park. */
  readonly requestRound: () => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

type Bodies = Parameters<ExpectedDeliveries['arrived']>[1];

interface Awaited {
  readonly due: DueDelivery;
  readonly row: RowInMemory;
  readonly desk: Desk;
  /** Whether it takes a place of its endpoint's. */
  holdsPlace: boolean;
}

/** What is awaited of one commit. */
interface Commit {
  readonly rows: Awaited[];
  /** What is not taken. */
  readonly left: { readonly lanes: Set<number>; readonly events: Set<string> };
  /** Those of them where there was no room or place: what comes later may not go before it. */
  readonly lanesWithoutRoom: Set<number>;
  readonly endpoints: Map<number, number>;
  /** Just before it was sent, in ms of `performance.now()`. */
  readonly sentAt: number;
}

/**
 * Hands deliveries over in memory where the process that commits them owns their lanes: they need not be read. They are expected before the
 * commit is sent, so that no read takes them too, and the commit tells whether their endpoints are still what they are known as here. Only
 * what there is room for is taken so, and nothing for an endpoint that is closed, has a backlog or keeps an order; everything else waits for
 * the next read, as what other processes commit does.
 */
export class HandOver {
  readonly #options: HandOverOptions;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** To be called just before the commit is sent. Null when nothing of it is taken, and not for want of room: that its lane is to know. */
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

  /** It is left to those who read. */
  #leave(one: Awaited): void {
    this.#release(one);
    // It may have been parked with a flood while nobody could see it.
    if (one.desk.wasFlooded) one.desk.markParked();
  }

  /** Once, however often it is said: when the taking in of a commit fails midway, all of it is given up. */
  #release(one: Awaited): void {
    if (one.holdsPlace) one.desk.expected--;
    one.holdsPlace = false;
    this.#options.desks.inMemory.expectNoMore(one.row);
  }

  readonly #laneOf = ({ lane }: DueDelivery): Lane | undefined => this.#options.lanes.get(lane);

  /** @returns whether it is known whose the lanes are: losing one hangs up on what is under way for it, and lets others go. */
  #fence(): boolean {
    try {
      this.#options.fence();
      return true;
    } catch (error) {
      this.#options.onFailure('hand-over', error);
      return false;
    }
  }

  /** Lost, or given back, and taken again is another lane, with other desks: somebody else may have sent its deliveries meanwhile. */
  #isOurs({ row: { lane }, desk }: Awaited): boolean {
    const { lanes, desks } = this.#options;
    if (lanes.get(lane.number) !== lane || lane.isDraining || lane.isLeaving) return false;
    return desks.list.get(desk.num) === desk;
  }
}

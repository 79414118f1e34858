import type { ExpectedDeliveries } from '../lane-waker.ts';
import type { NewDelivery } from '../store/event-log.ts';
import type { DueDelivery } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import type { HeldRow } from './held-rows.ts';
import type { Lane } from './lane.ts';

export interface HandOverOptions {
  readonly desks: Pick<Desks, 'list' | 'memory' | 'held' | 'admit'>;
  /** Those that this process holds, as they come and go. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly onFailure: (what: string, error: unknown) => void;
}

type Bodies = Parameters<ExpectedDeliveries['arrived']>[1];

interface Awaited {
  readonly due: DueDelivery;
  readonly row: HeldRow;
}

/**
 * Hands deliveries over in memory where the process that commits them owns their lanes: they need not be read. They are expected before the
 * commit is sent, so that no read takes them too, and the commit tells whether their endpoints are still what they are known as here. Only
 * what could be sent at once is taken so; everything else waits for the next read, as what other processes commit does.
 */
export class HandOver {
  readonly #options: HandOverOptions;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** To be called just before the commit is sent. Null when nothing of it is taken. */
  expect(deliveries: readonly NewDelivery[]): ExpectedDeliveries | null {
    const { desks, lanes, nowMs } = this.#options;
    const { held, list, memory } = desks;
    const dueAtMs = nowMs();
    const endpoints = new Map<number, number>();
    const left = new Set<number>();
    const rows: Awaited[] = [];
    let room = memory.roomForNew;
    for (const delivery of deliveries) {
      const lane = lanes.get(delivery.lane);
      const desk = list.get(delivery.endpointNum);
      if (room > 0 && lane?.takesFromMemory === true && desk !== undefined && this.#takes(desk, delivery, dueAtMs)) {
        const due = {
          ...delivery,
          attempt: 0,
          step: 0,
          dueAtMs,
          isReplay: false,
          isParked: false,
          endpointVersion: desk.version,
          order: null,
        };
        rows.push({ due, row: held.expect(due, lane) });
        endpoints.set(desk.num, desk.version);
        room--;
      } else left.add(delivery.lane);
    }
    if (rows.length === 0) return null;
    return {
      endpoints,
      arrived: (changed, bodies) => this.#arrive(rows, left, new Set(changed), bodies),
      missed: () => {
        for (const { row } of rows) held.expectNoMore(row);
      },
    };
  }

  /** Whether the delivery could go now: what waits already, or is kept in order, goes first. */
  #takes(desk: Desk, { orderKey, tenantNum }: NewDelivery, nowMs: number): boolean {
    if (orderKey !== null || desk.hasParked || desk.flood !== null || !desk.isOpen(nowMs)) return false;
    return desk.waiting.length < desk.target!.maxInFlight && this.#options.desks.memory.mayTake(tenantNum);
  }

  #arrive(rows: readonly Awaited[], left: Set<number>, changed: ReadonlySet<number>, bodies: Bodies): Set<number> {
    const taken: Awaited[] = [];
    for (const one of rows) {
      const { row } = one;
      if (this.#isOurs(row.lane) && !changed.has(row.endpointNum)) taken.push(one);
      else {
        this.#options.desks.held.expectNoMore(row);
        left.add(row.lane.number);
      }
    }
    // Producers hear of their events first.
    if (taken.length > 0) setImmediate(() => this.#admit(taken, bodies));
    return left;
  }

  #admit(taken: readonly Awaited[], bodies: Bodies): void {
    const { desks } = this.#options;
    const now = performance.now();
    for (const { row } of taken) {
      desks.held.expectNoMore(row);
      row.lane.handed(now);
    }
    const ours = taken.filter(({ row }) => this.#isOurs(row.lane)).map(({ due }) => due);
    try {
      desks.admit(ours, bodies, ({ lane }) => this.#options.lanes.get(lane));
    } catch (error) {
      // They are in the table, and are read when their lanes look again.
      this.#options.onFailure('hand-over', error);
    }
  }

  /** Lost and taken again is another lane: somebody else may have sent its deliveries meanwhile. */
  #isOurs(lane: Lane): boolean {
    return this.#options.lanes.get(lane.number) === lane && !lane.isDraining;
  }
}

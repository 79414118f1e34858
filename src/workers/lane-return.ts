import type { Desks } from './desks.ts';
import type { EndpointKeeper } from './endpoint-keeper.ts';
import type { HeldLanes } from './held-lanes.ts';
import type { Lane } from './lane.ts';
import type { LaneReader } from './lane-reader.ts';
import type { LaneStore } from './lane-store.ts';

export interface LaneReturnOptions {
  readonly store: Pick<LaneStore, 'nextDue' | 'release'>;
  readonly held: HeldLanes;
  readonly desks: Pick<Desks, 'list'>;
  readonly reader: Pick<LaneReader, 'mayBring'>;
  readonly endpoints: Pick<EndpointKeeper, 'saveGates'>;
  /** Rings lanes for whoever is free. */
  readonly ring: (lanes: Iterable<number>) => void;
  readonly ringIn: (lane: number, delayMs: number) => void;
}

/** Gives lanes back that have nothing to do, or that are drained, and has them rung when they have something to do again. */
export class LaneReturn {
  readonly #options: LaneReturnOptions;

  constructor(options: LaneReturnOptions) {
    this.#options = options;
  }

  /**
   * Gives back those that may leave now. Others wait for lanes that are drained: what is next in them is not asked for, because that may
   * run into the time limit of a statement, each time, where a transaction stays open that sees old rows.
   */
  async runOnce(): Promise<void> {
    await this.#leave((lane) => lane.isDraining);
    await this.#leave((lane) => !lane.isDraining);
  }

  async #leave(isMeant: (lane: Lane) => boolean): Promise<void> {
    const leaving = [...this.#options.held].filter((lane) => isMeant(lane) && this.#mayLeave(lane));
    if (leaving.length === 0) return;
    // From here on nothing may come from memory: it would be sent under a lease that is given back.
    for (const lane of leaving) lane.isLeaving = true;
    try {
      await this.#giveBack(leaving);
    } finally {
      for (const lane of leaving) lane.isLeaving = false;
    }
  }

  async #giveBack(able: readonly Lane[]): Promise<void> {
    const { held, endpoints } = this.#options;
    const due = await this.#nextDue(able);
    const leaving = able.filter((lane) => this.#mayLeave(lane) && (lane.isDraining || due.get(lane.number) !== 0));
    if (leaving.length === 0) return;
    await endpoints.saveGates(({ lane }) => leaving.some(({ number }) => number === lane));
    await this.#release(leaving);
    for (const lane of leaving) {
      this.#ringAgain(lane, due.get(lane.number));
      held.forget(lane);
    }
  }

  async #nextDue(lanes: readonly Lane[]): Promise<ReadonlyMap<number, number>> {
    const idle = lanes.filter((lane) => !lane.isDraining).map((lane) => lane.number);
    return idle.length === 0 ? new Map() : await this.#options.store.nextDue(idle);
  }

  #mayLeave(lane: Lane): boolean {
    const { reader, desks } = this.#options;
    if (lane.isDraining) return lane.rowsInMemory === 0;
    return lane.isIdle && !reader.mayBring(lane.number) && !desks.list.hasOpenParked(lane.number);
  }

  /** Lanes whose release failed may be free already: they are not ours until they are taken anew. */
  async #release(leaving: readonly Lane[]): Promise<void> {
    const { store, held, desks, ring } = this.#options;
    const given = leaving.map(({ lease, number, isDraining }) =>
      isDraining ? lease : { ...lease, isDone: true, wakeInMs: desks.list.wakeInMs(number) },
    );
    await store.release(given).catch((error: unknown) => {
      for (const lane of leaving) held.forget(lane);
      ring(leaving.map(({ number }) => number));
      throw error;
    });
  }

  #ringAgain({ number, mayFetch, isDraining }: Lane, dueInMs: number | undefined): void {
    const { desks, ring, ringIn } = this.#options;
    const inMs = soonest(dueInMs, desks.list.opensInMs(number));
    if (isDraining || mayFetch || inMs === 0 || desks.list.hasOpenParked(number)) ring([number]);
    else if (inMs !== undefined) ringIn(number, inMs);
  }
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

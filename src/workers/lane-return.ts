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

  /** Gives back those that may leave now. */
  async runOnce(): Promise<void> {
    const idle = [...this.#options.held].filter((lane) => this.#mayLeave(lane));
    if (idle.length === 0) return;
    // From here on nothing may come from memory: it would be sent under a lease that is given back.
    for (const lane of idle) lane.isLeaving = true;
    try {
      await this.#giveBack(idle);
    } finally {
      for (const lane of idle) lane.isLeaving = false;
    }
  }

  async #giveBack(idle: readonly Lane[]): Promise<void> {
    const { store, held, endpoints } = this.#options;
    const due = await store.nextDue(idle.map((lane) => lane.number));
    const leaving = idle.filter((lane) => this.#mayLeave(lane) && (lane.isDraining || due.get(lane.number) !== 0));
    if (leaving.length === 0) return;
    await endpoints.saveGates(({ lane }) => leaving.some(({ number }) => number === lane));
    await this.#release(leaving);
    for (const lane of leaving) {
      this.#ringAgain(lane, due.get(lane.number));
      held.forget(lane);
    }
  }

  #mayLeave(lane: Lane): boolean {
    const { reader, desks } = this.#options;
    if (lane.isDraining) return lane.held === 0;
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

  #ringAgain({ number, isHungry }: Lane, dueInMs: number | undefined): void {
    const { desks, ring, ringIn } = this.#options;
    const inMs = soonest(dueInMs, desks.list.opensInMs(number));
    if (isHungry || inMs === 0 || desks.list.hasOpenParked(number)) ring([number]);
    else if (inMs !== undefined) ringIn(number, inMs);
  }
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

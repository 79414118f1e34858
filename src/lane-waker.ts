export interface LaneBells {
  /** For whoever is free to take them. */
  readonly ring: (lanes: Iterable<number>) => void;
  /** For whoever has them awake. */
  readonly call: (lanes: Iterable<number>) => void;
}

/** From so many deliveries at once on, lanes that are awake elsewhere are not called: under load they look by themselves soon enough. */
const MANY = 50;

/** Tells lanes of this process directly that they have work, and rings and calls for the others. */
export class LaneWaker {
  readonly #bells: LaneBells;
  /** Set by the worker role: wakes what is awake here and returns the rest. */
  wakeLocal: (lanes: Iterable<number>) => Iterable<number> = (lanes) => lanes;

  constructor(bells: LaneBells) {
    this.#bells = bells;
  }

  /** @param deliveries how many are new, as far as that is known */
  wake(lanes: Iterable<number>, deliveries = 1): void {
    const elsewhere = [...this.wakeLocal(lanes)];
    if (elsewhere.length === 0) return;
    this.#bells.ring(elsewhere);
    if (deliveries < MANY) this.#bells.call(elsewhere);
  }
}

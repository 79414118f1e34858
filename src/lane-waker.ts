import type { NewDelivery } from './store/event-log.ts';
import type { CallBehind } from './store/lane-calls.ts';
import type { EventBody } from './store/mailbox.ts';

export interface LaneBells {
  /** For whoever is free to take them. */
  readonly ring: (lanes: Iterable<number>) => void;
  /** For whoever has them awake. */
  readonly call: (lanes: Iterable<number>) => void;
  /** The call as a statement to be sent behind the commit of what it is about; null: not now. */
  readonly callBehind: (lanes: Iterable<number>) => CallBehind | null;
}

/** What the owner of lanes in this process does for those who commit deliveries in it. */
export interface LocalLanes {
  /** Wakes those that are awake here. @returns the others. */
  readonly wake: (lanes: Iterable<number>) => Iterable<number>;
  /** Asked just before a commit is sent. Null: it has no part in it. */
  readonly expect: (deliveries: readonly NewDelivery[]) => ExpectedDeliveries | null;
}

/** What the owner of lanes in this process takes from memory of the deliveries of a commit. Call `arrived` or `missed`; calls after the first do nothing. */
export interface ExpectedDeliveries {
  /** The endpoints of these, with the versions of their settings that are known here. */
  readonly endpoints: ReadonlyMap<number, number>;
  /**
   * They are committed.
   * @param changed endpoints whose settings are not what they were known as
   * @returns what is not taken
   */
  arrived(changed: readonly number[], bodies: Pick<ReadonlyMap<string, EventBody>, 'get'>): LeftDeliveries;
  /** They are not committed, or nobody knows whether they are (`mayBeStored`). */
  missed(mayBeStored: boolean): void;
}

export interface LeftDeliveries {
  /** Still to be woken. */
  readonly lanes: ReadonlySet<number>;
  /** Whose bodies may soon be read, unless another process takes their lanes. */
  readonly events: ReadonlySet<string>;
}

/** From so many deliveries at once on, lanes that are awake elsewhere are not called: under load they look by themselves soon enough. */
const MANY = 50;

interface WakeOptions {
  readonly deliveries?: number;
  readonly alreadyCalled?: boolean;
}

/** Tells lanes of this process directly that they have work, and rings and calls for the others. */
export class LaneWaker {
  readonly #bells: LaneBells;
  /** Set by the worker role. */
  local: LocalLanes | null = null;

  constructor(bells: LaneBells) {
    this.#bells = bells;
  }

  /**
   * Tells lanes that they have work.
   * @param deliveries how many are new, as far as that is known
   * @param alreadyCalled whether `callBehind` went out for them
   */
  wake(lanes: Iterable<number>, { deliveries = 1, alreadyCalled = false }: WakeOptions = {}): void {
    const elsewhere = [...(this.local?.wake(lanes) ?? lanes)];
    if (elsewhere.length === 0) return;
    this.#bells.ring(elsewhere);
    if (deliveries < MANY && !alreadyCalled) this.#bells.call(elsewhere);
  }

  /**
   * What calls lanes behind a commit that is about to be sent. Null where some may be awake here, where there are many or none, and where
   * the last call is too short a while ago: then `wake` sees to it.
   * @param lanes asked for only where there are few
   */
  callBehind(deliveries: number, lanes: () => Iterable<number>): CallBehind | null {
    if (this.local !== null || deliveries === 0 || deliveries >= MANY) return null;
    return this.#bells.callBehind(lanes());
  }
}

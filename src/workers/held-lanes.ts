import type { AcquiredLane } from '../store/lanes.ts';
import type { CarefulSender } from './careful-sender.ts';
import type { Desks } from './desks.ts';
import { Lane } from './lane.ts';

export interface HeldLanesOptions {
  readonly acquire: (lanes: readonly number[]) => Promise<AcquiredLane[]>;
  readonly sender: Pick<CarefulSender, 'review' | 'isCareful' | 'forget'>;
  readonly desks: Pick<Desks, 'dropLane' | 'abandonLane' | 'forgetLane'>;
  /** How many there may be until `share` is set. */
  readonly share: number;
  readonly ringIn: (lane: number, delayMs: number) => void;
  readonly onTaken: (lane: number) => void;
  /** Called when another process has a lane that this one thought it held. */
  readonly onLeaseLost: (lane: number) => void;
  /** Asks for a round: there are lanes to acquire, to fetch for or to give back. */
  readonly requestRound: () => void;
}

/** How soon a lane is rung again that this process had no place for. */
const TURN_AWAY_MS = 100;

/** The lanes in this process's hands: how they come into them, and how they leave them. */
export class HeldLanes {
  /** How many there may be. */
  share: number;
  readonly #options: HeldLanesOptions;
  readonly #lanes = new Map<number, Lane>();
  readonly #requested = new Map<number, PromiseWithResolvers<void>>();
  #isClosing = false;

  constructor(options: HeldLanesOptions) {
    this.#options = options;
    this.share = options.share;
  }

  /** As they come and go. */
  get byNumber(): ReadonlyMap<number, Lane> {
    return this.#lanes;
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes.values();
  }

  get size(): number {
    return this.#lanes.size;
  }

  /** Whether one of the lanes may fetch. */
  get hasLaneToFetch(): boolean {
    for (const lane of this.#lanes.values()) if (lane.mayFetch && !lane.isDraining) return true;
    return false;
  }

  /** For how long the one that has been drained longest has been, in ms. */
  get drainingMs(): number {
    const now = performance.now();
    let ms = 0;
    for (const { drainingSince } of this.#lanes.values()) ms = Math.max(ms, now - (drainingSince ?? now));
    return ms;
  }

  /** Takes a lane if nobody has it. Resolves when it is given back, lost, or was somebody else's. */
  hold(number: number): Promise<void> {
    const ours = this.#lanes.get(number);
    if (ours !== undefined) {
      ours.wake();
      this.#options.requestRound();
      return ours.released;
    }
    if (this.#isClosing) return Promise.resolve();
    const known = this.#requested.get(number);
    if (known !== undefined) return known.promise;
    if (this.#lanes.size + this.#requested.size >= this.share) {
      this.#options.ringIn(number, TURN_AWAY_MS);
      return Promise.resolve();
    }
    const request = Promise.withResolvers<void>();
    this.#requested.set(number, request);
    this.#options.requestRound();
    return request.promise;
  }

  /** Asks the table for those that are wanted. */
  async acquire(): Promise<void> {
    if (this.#requested.size === 0) return;
    const requests = new Map(this.#requested);
    const askedAt = performance.now();
    const leases = await this.#options.acquire([...requests.keys()]);
    await this.#options.sender.review(leases);
    for (const lease of leases) {
      const lane = this.#take(lease, askedAt);
      void lane.released.then(requests.get(lease.lane)!.resolve);
    }
    for (const [number, request] of requests) {
      this.#requested.delete(number);
      if (!this.#lanes.has(number)) request.resolve();
    }
  }

  #take(lease: AcquiredLane, askedAt: number): Lane {
    const lane = new Lane(lease, performance.now(), askedAt);
    lane.isCareful = this.#options.sender.isCareful(lease.lane);
    this.#lanes.set(lease.lane, lane);
    this.#options.onTaken(lease.lane);
    if (this.#isClosing) this.drain(lane);
    return lane;
  }

  /** No lane is taken any more, and those that are held are drained. */
  close(): void {
    this.#isClosing = true;
    for (const lane of this.#lanes.values()) this.drain(lane);
  }

  /** Begins nothing new for the lane, so that it can be given back when what is under way has ended. */
  drain(lane: Lane): void {
    lane.isDraining = true;
    lane.drainingSince ??= performance.now();
    this.#options.desks.dropLane(lane.number);
    this.#options.requestRound();
  }

  /** Its former owner's death is survived: it is served like any other. */
  trust(lane: Lane): void {
    lane.isCareful = false;
    this.#options.sender.forget(lane.number);
  }

  /** Forgets a lane. What is under way goes on, and its settle counts only if the lane comes back to us first. */
  forget(lane: Lane): void {
    this.#lanes.delete(lane.number);
    this.#options.sender.forget(lane.number);
    this.#options.desks.forgetLane(lane.number);
    lane.resolveReleased();
  }

  /** Somebody else has the lane, or may have it at any moment. */
  lose(lane: Lane): void {
    this.#options.onLeaseLost(lane.number);
    this.#options.desks.dropLane(lane.number);
    this.#options.desks.abandonLane(lane.number);
    this.forget(lane);
  }

  /** Forgets all of them, and whoever still waits for one. */
  forgetAll(): void {
    for (const lane of [...this.#lanes.values()]) this.forget(lane);
    for (const request of this.#requested.values()) request.resolve();
  }
}

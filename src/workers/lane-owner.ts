import { deliveryIdOf } from '../domain/ids.ts';
import type { ExpectedDeliveries } from '../lane-waker.ts';
import type { NewDelivery } from '../store/event-log.ts';
import type { SettledAttempt } from '../store/settle.ts';
import { type LaneOwnerOptions, OwnerParts } from './owner-parts.ts';

/** What an owner works on now. */
export interface OwnerLoad {
  readonly lanes: number;
  readonly inFlight: number;
  /** Deliveries in memory, and the bytes of their bodies. */
  readonly rows: number;
  readonly bytes: number;
  /** Attempts that are not written yet. */
  readonly unsettled: number;
}

const HEARTBEAT_MS = 1_000;
const REFRESH_MS = 1_000;
const TICK_MS = 10;
/** How often it is checked in which lanes endpoints with parked rows are to be looked for again, in ms. */
const PARKED_RESCAN_MS = 1_000;
const LATENESS_MS = 1_000;

/**
 * Owns lanes: takes them, fetches the due rows, gives these to the desks, writes the attempts, gives lanes back. A process has one owner,
 * which serves all lanes that the process holds, so that one statement serves them all.
 */
export class LaneOwner {
  /** Told how many lanes this process should hold at most, whenever that changes. */
  onShare: (lanes: number) => void = () => {};
  readonly #options: LaneOwnerOptions;
  readonly #parts: OwnerParts;
  #timers: NodeJS.Timeout[] = [];
  /** Whether a lane may fetch, as of the end of the last round or the last tick: asked for after each request that ends. */
  #awaitsRoom = false;

  constructor(options: LaneOwnerOptions) {
    this.#options = options;
    this.#parts = new OwnerParts(options, {
      round: () => this.#round(),
      awaitsRoom: () => this.#awaitsRoom,
      onSettled: (attempt, isWritten) => this.#settled(attempt, isWritten),
      onShare: (share) => this.onShare(share),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.beat(), HEARTBEAT_MS),
      setInterval(() => void this.#parts.endpoints.refresh(), REFRESH_MS),
      setInterval(() => this.#exploreAll(), PARKED_RESCAN_MS),
      setInterval(() => this.#parts.lateness.look(performance.now()), LATENESS_MS),
    ];
    void this.beat();
  }

  /** See `HeldLanes.hold`. */
  hold(number: number): Promise<void> {
    return this.#parts.lanes.hold(number);
  }

  /** See `LeaseKeeper.beat`. */
  beat(): Promise<void> {
    return this.#parts.leases.beat();
  }

  /** Tells awake lanes that they have new rows. @returns the lanes that are not awake here. */
  wake(numbers: Iterable<number>): number[] {
    const asleep: number[] = [];
    let isAnyAwake = false;
    for (const number of numbers) {
      const lane = this.#parts.lanes.byNumber.get(number);
      if (lane === undefined || lane.isDraining) asleep.push(number);
      else {
        lane.wake();
        isAnyAwake = true;
      }
    }
    if (isAnyAwake) this.#parts.pump.kick();
    return asleep;
  }

  /** See `HandOver.expect`. */
  expect(deliveries: readonly NewDelivery[]): ExpectedDeliveries | null {
    return this.#parts.handOver.expect(deliveries);
  }

  /** Milliseconds since a round ended or got on, while one is under way; 0 when there is nothing to do. */
  get stalledMs(): number {
    return this.#parts.pump.stalledMs;
  }

  /** For how long this process keeps deliveries waiting by itself, in ms: see `Lateness`. */
  get lateMs(): number {
    return this.#parts.lateness.msAt(performance.now());
  }

  /**
   * For how long the lane that has been draining longest has been about to be given back, in ms; its deliveries may have waited as long.
   * That does not count as lateness, as it may take as long as the lane's requests under way.
   */
  get drainingMs(): number {
    return this.#parts.lanes.drainingMs;
  }

  get load(): OwnerLoad {
    const { lanes, desks, settler } = this.#parts;
    const { inFlight, inMemory } = desks;
    return { lanes: lanes.size, inFlight, rows: inMemory.size, bytes: inMemory.bytes, unsettled: settler.size };
  }

  /** Stops fetching, waits for the requests under way until the deadline, writes their attempts, and gives every lane back. */
  async stop(deadlineMs: number): Promise<void> {
    const { store, ring, onFailure } = this.#options;
    const { pump, lanes, desks, sender, settler, endpoints, reader } = this.#parts;
    pump.stop();
    lanes.close();
    const giveUpAt = performance.now() + deadlineMs;
    // A round under way may still be taking lanes: it must end before these are given back.
    while ((desks.inFlight > 0 || pump.isRunning) && performance.now() < giveUpAt) await pause(TICK_MS);
    const cutOff = sender.abortAll();
    if (cutOff > 0) onFailure('stop of requests', new Error(`${cutOff} had no answer in time: they are made again`));
    await Promise.race([settler.drain(), pause(Math.max(500, giveUpAt - performance.now()))]);
    for (const timer of this.#timers) clearInterval(timer);
    desks.stop();
    await endpoints.saveGates();
    await reader.finish().catch((error: unknown) => onFailure('end of reading', error));
    const leases = [...lanes].map((lane) => lane.lease);
    await store.release(leases).catch((error: unknown) => onFailure('release of lanes', error));
    lanes.forgetAll();
    ring(leases.map((lease) => lease.lane));
  }

  async #round(): Promise<void> {
    const { lanes, reader, laneReturn, desks, pump } = this.#parts;
    await lanes.acquire();
    await reader.runOnce();
    await laneReturn.runOnce();
    this.#awaitsRoom = lanes.hasLaneToFetch;
    if (this.#awaitsRoom && desks.memory.isFetchDue) pump.kick();
  }

  #settled(attempt: SettledAttempt, isWritten: boolean): void {
    const { sender, desks, lanes, pump } = this.#parts;
    if (isWritten) sender.settled(attempt);
    const lane = desks.settled(attempt, isWritten);
    if (lane === undefined) return;
    if (!isWritten && lanes.byNumber.get(attempt.lane) === lane) {
      // This process thought that it had the lane, and still the attempt was not written: what it believes of the lane is wrong.
      this.#options.onFailure('settle of a delivery', new Error('not written'), {
        deliveryId: deliveryIdOf(attempt.eventUuid, attempt.endpointNum),
      });
      void this.#options.store.release([lane.lease]).catch(() => {});
      lanes.lose(lane);
    }
    if (lane.isDraining && lane.rowsInMemory === 0) pump.kick();
  }

  #exploreAll(): void {
    const { lanes, reader, pump } = this.#parts;
    const now = performance.now();
    for (const lane of lanes) if (lane.exploration.isDue(now)) reader.explore(lane.number);
    pump.kick();
  }

  #tick(): void {
    const { lanes, leases, endpoints, desks, reader, pump } = this.#parts;
    if (lanes.size === 0) return;
    const now = performance.now();
    leases.fence(now);
    for (const lane of lanes) lane.poll(now);
    endpoints.saveUrgentGates();
    desks.look(now);
    this.#awaitsRoom = lanes.hasLaneToFetch;
    const mayRead = this.#awaitsRoom && (desks.memory.isFetchDue || desks.isClogged);
    if (mayRead || reader.isRefillDue(now) || reader.isLookDue(now)) pump.kick();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

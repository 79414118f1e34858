import { type EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { Sender } from '../delivery/sender.ts';
import { deliveryIdOf } from '../domain/ids.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { StruckDelivery } from '../store/suspects.ts';
import { CarefulSender } from './careful-sender.ts';
import { Desks } from './desks.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import { gateNotice } from './gate-notice.ts';
import { Lane } from './lane.ts';
import { LaneReader } from './lane-reader.ts';
import type { LaneStore } from './lane-store.ts';
import { Pump } from './pump.ts';
import { Settler } from './settler.ts';

export interface LaneOwnerOptions {
  readonly store: LaneStore;
  readonly sender: Sender;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  readonly lanes: number;
  /** How long a lease lasts from the moment that it is asked for. */
  readonly leaseMs: number;
  readonly maxInFlight: number;
  readonly maxBytes: number;
  /** Rings lanes for whoever is free. */
  readonly ring: (lanes: Iterable<number>) => void;
  readonly ringIn: (lane: number, delayMs: number) => void;
  readonly onAttempt: (attempt: SettledAttempt, tenantId: string, endpointId: string) => void;
  readonly onGateNews: (news: GateNews, tenantId: string, endpointId: string) => void;
  readonly onSetAside: (delivery: StruckDelivery) => void;
  readonly onEgressChange: (change: EgressChange) => void;
  /** Somebody else has a lane that was thought to be held here. */
  readonly onLeaseLost: (lane: number) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** What an owner has in hand. */
export interface OwnerLoad {
  readonly lanes: number;
  readonly inFlight: number;
  /** Deliveries in memory, and the bytes of their bodies. */
  readonly rows: number;
  readonly bytes: number;
  /** Attempts that are not written down yet. */
  readonly unsettled: number;
}

const HEARTBEAT_MS = 1_000;
const REFRESH_MS = 1_000;
const TICK_MS = 10;
/** How long before its end a lease counts as over. */
const FENCE_MS = 500;
/** How soon a lane is rung again that this process had no place for. */
const TURN_AWAY_MS = 100;
/** How often lanes are looked through for those whose parked endpoints are to be looked for anew. */
const PARKED_RESCAN_MS = 1_000;

/**
 * Owns lanes: takes them, fetches what is due, hands it to the desks, writes down what became of it, gives lanes back. One of it lives
 * in a process and serves all the lanes that the process holds, so that a statement serves them all.
 */
export class LaneOwner {
  /** Told how many lanes this process should hold at most, whenever that changes. */
  onShare: (lanes: number) => void = () => {};
  readonly #options: LaneOwnerOptions;
  readonly #settler: Settler;
  readonly #endpoints: EndpointKeeper;
  readonly #sender: CarefulSender;
  readonly #desks: Desks;
  readonly #reader: LaneReader;
  readonly #lanes = new Map<number, Lane>();
  readonly #requested = new Map<number, PromiseWithResolvers<void>>();
  #share: number;
  readonly #pump: Pump;
  #isStopping = false;
  /** Whether no other worker was seen lately. */
  #isAlone = true;
  #timers: NodeJS.Timeout[] = [];

  constructor(options: LaneOwnerOptions) {
    const { store, onFailure } = options;
    this.#options = options;
    this.#share = options.lanes;
    this.#pump = new Pump({ round: () => this.#round(), onFailure: (error) => onFailure('lane round', error) });
    this.#sender = new CarefulSender(options);
    this.#desks = new Desks({
      ...options,
      sender: this.#sender,
      loadTargets: (nums) => store.targets(nums),
      disableEndpoint: (num, reason) => store.disableEndpoint(num, reason),
      settle: (attempt) => this.#settler.add(attempt),
      egress: new EgressWatch(),
      onGateNews: (news, desk, isOfSystemEvent) => {
        const notice = gateNotice(news, desk, isOfSystemEvent);
        if (notice !== null) desk.notices.push(notice);
        options.onGateNews(news, desk.target!.tenantId, desk.target!.id);
      },
      onChange: () => this.#pump.kick(),
    });
    this.#reader = new LaneReader(store, this.#desks, this.#lanes, options.nowMs);
    const leaseOf = (lane: number) => this.#lanes.get(lane)?.lease;
    this.#endpoints = new EndpointKeeper({ ...options, desks: this.#desks, leaseOf });
    this.#settler = new Settler({
      write: (leases, attempts) => store.settle(leases, attempts),
      giveUp: (attempt, reason) => store.giveUp(attempt, reason),
      leaseOf,
      onSettled: (attempt, isWritten) => this.#settled(attempt, isWritten),
      onFailure: (error, attempts) => onFailure(`settle of ${attempts} attempts`, error),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.beat(), HEARTBEAT_MS),
      setInterval(() => void this.#endpoints.refresh(), REFRESH_MS),
      setInterval(() => this.#exploreAll(), PARKED_RESCAN_MS),
    ];
    void this.beat();
  }

  /** Takes a lane if nobody has it. Resolves when it is given back, lost, or was somebody else's. */
  hold(number: number): Promise<void> {
    const ours = this.#lanes.get(number);
    if (ours !== undefined) {
      ours.wake();
      this.#pump.kick();
      return ours.released;
    }
    if (this.#isStopping) return Promise.resolve();
    const known = this.#requested.get(number);
    if (known !== undefined) return known.promise;
    if (this.#lanes.size + this.#requested.size >= this.#share) {
      this.#options.ringIn(number, TURN_AWAY_MS);
      return Promise.resolve();
    }
    const request = Promise.withResolvers<void>();
    this.#requested.set(number, request);
    this.#pump.kick();
    return request.promise;
  }

  /** Tells awake lanes that they have new rows. @returns the lanes that are not awake here. */
  wake(numbers: Iterable<number>): number[] {
    const asleep: number[] = [];
    for (const number of numbers) {
      const lane = this.#lanes.get(number);
      if (lane === undefined || lane.isDraining) asleep.push(number);
      else lane.wake();
    }
    this.#pump.kick();
    return asleep;
  }

  /** Milliseconds since a round of work ended, while one is under way; 0 when there is nothing to do. */
  get stalledMs(): number {
    return this.#pump.stalledMs;
  }

  get load(): OwnerLoad {
    const { inFlight, held } = this.#desks;
    return { lanes: this.#lanes.size, inFlight, rows: held.size, bytes: held.bytes, unsettled: this.#settler.size };
  }

  /** Stops fetching, waits for what is under way until the deadline, writes it down, and gives every lane back. */
  async stop(deadlineMs: number): Promise<void> {
    const { store, ring, onFailure } = this.#options;
    this.#isStopping = true;
    this.#pump.stop();
    for (const lane of this.#lanes.values()) this.#drain(lane);
    const giveUpAt = performance.now() + deadlineMs;
    // A round that is under way may still be taking lanes: it ends before they are given back.
    while ((this.#desks.inFlight > 0 || this.#pump.isRunning) && performance.now() < giveUpAt) await pause(TICK_MS);
    this.#sender.abortAll();
    await Promise.race([this.#settler.drain(), pause(Math.max(500, giveUpAt - performance.now()))]);
    for (const timer of this.#timers) clearInterval(timer);
    this.#desks.stop();
    await this.#endpoints.saveGates();
    await this.#reader.finish().catch((error: unknown) => onFailure('end of reading', error));
    const leases = [...this.#lanes.values()].map((lane) => lane.lease);
    await store.release(leases).catch((error: unknown) => onFailure('release of lanes', error));
    for (const lane of [...this.#lanes.values()]) this.#forget(lane);
    for (const request of this.#requested.values()) request.resolve();
    ring(leases.map((lease) => lease.lane));
  }

  async #round(): Promise<void> {
    await this.#acquire();
    await this.#reader.runOnce();
    await this.#releaseIdle();
    if (this.#hasHungryLane() && this.#desks.memory.hasRoom) this.#pump.kick();
  }

  async #acquire(): Promise<void> {
    if (this.#requested.size === 0) return;
    const requests = new Map(this.#requested);
    const askedAt = performance.now();
    const leases = await this.#options.store.acquire([...requests.keys()]);
    await this.#sender.review(leases);
    for (const lease of leases) {
      const lane = new Lane(lease, performance.now(), askedAt);
      lane.isCareful = this.#sender.isCareful(lease.lane);
      this.#lanes.set(lease.lane, lane);
      this.#reader.explore(lease.lane);
      if (this.#isStopping) this.#drain(lane);
      void lane.released.then(requests.get(lease.lane)!.resolve);
    }
    for (const [number, request] of requests) {
      this.#requested.delete(number);
      if (!this.#lanes.has(number)) request.resolve();
    }
  }

  #settled(attempt: SettledAttempt, isWritten: boolean): void {
    if (isWritten) this.#sender.settled(attempt);
    const lane = this.#desks.settled(attempt, isWritten);
    if (lane === undefined) return;
    if (!isWritten && this.#lanes.get(attempt.lane) === lane) {
      // Ours, as far as we knew, and still not written: what this process believes of the lane is not to be trusted.
      this.#options.onFailure(
        `settle of delivery ${deliveryIdOf(attempt.eventUuid, attempt.endpointNum)}`,
        new Error('not written'),
      );
      void this.#options.store.release([lane.lease]).catch(() => {});
      this.#lose(lane);
    }
    if (lane.isDraining && lane.held === 0) this.#pump.kick();
  }

  async #releaseIdle(): Promise<void> {
    const mayLeave = (lane: Lane) =>
      lane.isDraining
        ? lane.held === 0
        : lane.isIdle && !this.#reader.isParking && !this.#desks.list.hasOpenParked(lane.number);
    const idle = [...this.#lanes.values()].filter(mayLeave);
    if (idle.length === 0) return;
    const due = await this.#options.store.nextDue(idle.map((lane) => lane.number));
    const leaving = idle.filter((lane) => mayLeave(lane) && (lane.isDraining || due.get(lane.number) !== 0));
    if (leaving.length === 0) return;
    await this.#endpoints.saveGates(({ lane }) => leaving.some(({ number }) => number === lane));
    await this.#release(leaving);
    for (const lane of leaving) {
      const inMs = soonest(due.get(lane.number), this.#desks.list.opensInMs(lane.number));
      if (lane.isHungry || inMs === 0 || this.#desks.list.hasOpenParked(lane.number)) this.#options.ring([lane.number]);
      else if (inMs !== undefined) this.#options.ringIn(lane.number, inMs);
      this.#forget(lane);
    }
  }

  /** Lanes whose release failed may be free already: they are not ours until they are taken anew. */
  async #release(leaving: readonly Lane[]): Promise<void> {
    const given = leaving.map(({ lease, number, isDraining }) =>
      isDraining ? lease : { ...lease, isDone: true, wakeInMs: this.#desks.list.wakeInMs(number) },
    );
    await this.#options.store.release(given).catch((error: unknown) => {
      for (const lane of leaving) this.#forget(lane);
      this.#options.ring(leaving.map(({ number }) => number));
      throw error;
    });
  }

  #drain(lane: Lane): void {
    lane.isDraining = true;
    this.#desks.dropLane(lane.number);
    this.#pump.kick();
  }

  /** Forgets a lane. What is under way goes on, and its settle counts only if the lane comes back to us first. */
  #forget(lane: Lane): void {
    this.#lanes.delete(lane.number);
    this.#sender.forget(lane.number);
    this.#desks.forgetLane(lane.number);
    lane.resolveReleased();
  }

  /** Somebody else has the lane, or may have it at any moment. */
  #lose(lane: Lane): void {
    this.#options.onLeaseLost(lane.number);
    this.#desks.dropLane(lane.number);
    this.#desks.abandonLane(lane.number);
    this.#forget(lane);
  }

  /**
   * A lease that must have run out by our own clock is lost: what is under way is hung up on before anybody else can send to the same
   * endpoints. Where no other worker was seen the lane is kept, because slow requests would be repeated for nothing.
   */
  #fence(now: number): void {
    if (this.#isAlone) return;
    for (const lane of [...this.#lanes.values()])
      if (now - lane.renewedAt > this.#options.leaseMs - FENCE_MS) this.#lose(lane);
  }

  /** Renews the leases and learns what is still ours, and of how many workers this one is. */
  async beat(): Promise<void> {
    const leases = [...this.#lanes.values()].map((lane) => lane.lease);
    const askedAt = performance.now();
    try {
      const { held, crashed, workers } = await this.#options.store.heartbeat(leases);
      for (const lease of leases) {
        const lane = this.#lanes.get(lease.lane);
        if (lane === undefined || lane.lease !== lease) continue;
        if (!held.has(lease.lane)) {
          this.#lose(lane);
          continue;
        }
        lane.renewedAt = askedAt;
        if (lane.isCareful && !crashed.has(lease.lane)) this.#trust(lane);
      }
      this.#isAlone = workers === 1;
      this.#setShare(Math.ceil(this.#options.lanes / workers));
    } catch (error) {
      this.#options.onFailure('heartbeat', error);
    }
  }

  #trust(lane: Lane): void {
    lane.isCareful = false;
    this.#sender.forget(lane.number);
  }

  #setShare(share: number): void {
    if (share === this.#share) return;
    this.#share = share;
    this.onShare(share);
    const kept = [...this.#lanes.values()].filter((lane) => !lane.isDraining);
    const surplus = kept.sort((a, b) => a.held - b.held).slice(0, Math.max(0, kept.length - share));
    for (const lane of surplus) this.#drain(lane);
  }

  #exploreAll(): void {
    const now = performance.now();
    for (const [number, lane] of this.#lanes) if (lane.isUnexplored(now)) this.#reader.explore(number);
    this.#pump.kick();
  }

  #tick(): void {
    if (this.#lanes.size === 0) return;
    const now = performance.now();
    this.#fence(now);
    for (const lane of this.#lanes.values()) lane.poll(now);
    this.#endpoints.saveUrgentGates();
    if (this.#hasHungryLane() && (this.#desks.memory.hasRoom || this.#desks.isClogged)) this.#pump.kick();
  }

  #hasHungryLane(): boolean {
    for (const lane of this.#lanes.values()) if (lane.isHungry && !lane.isDraining) return true;
    return false;
  }
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

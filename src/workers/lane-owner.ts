import { type EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { Sender } from '../delivery/sender.ts';
import { deliveryIdOf } from '../domain/ids.ts';
import type { ExpectedDeliveries } from '../lane-waker.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { NewDelivery } from '../store/event-log.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { StruckDelivery } from '../store/suspects.ts';
import { CarefulSender } from './careful-sender.ts';
import { Desks } from './desks.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import { gateNotice } from './gate-notice.ts';
import { HandOver } from './hand-over.ts';
import { HeldLanes } from './held-lanes.ts';
import { LaneReader } from './lane-reader.ts';
import { LaneReturn } from './lane-return.ts';
import type { LaneStore } from './lane-store.ts';
import { Lateness } from './lateness.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { RoundPump } from './round-pump.ts';
import { Settler } from './settler.ts';

export interface LaneOwnerOptions {
  readonly store: LaneStore;
  readonly sender: Sender;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** How long events are kept; for ever without it. */
  readonly retentionMs?: number;
  readonly userAgent: string;
  readonly lanes: number;
  /** How long a lease lasts from the moment that it is asked for. */
  readonly leaseMs: number;
  readonly maxInFlight: number;
  readonly maxBytes: number;
  /** See `MemoryLimits`. */
  readonly pauseMs: () => number;
  /** Rings lanes for whoever is free. */
  readonly ring: (lanes: Iterable<number>) => void;
  readonly ringIn: (lane: number, delayMs: number) => void;
  readonly onAttempt: (attempt: SettledAttempt, ids: AttemptIds) => void;
  readonly onGateNews: (news: GateNews, tenantId: string, endpointId: string) => void;
  readonly onSetAside: (delivery: StruckDelivery) => void;
  readonly onEgressChange: (change: EgressChange) => void;
  /** Somebody else has a lane that was thought to be held here. */
  readonly onLeaseLost: (lane: number) => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
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
/** How often lanes are looked through for those whose parked endpoints are to be looked for anew. */
const PARKED_RESCAN_MS = 1_000;
const LATENESS_MS = 1_000;

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
  readonly #lanes: HeldLanes;
  readonly #leases: LeaseKeeper;
  readonly #reader: LaneReader;
  readonly #return: LaneReturn;
  readonly #pump: RoundPump;
  readonly #handOver: HandOver;
  readonly #lateness: Lateness;
  #timers: NodeJS.Timeout[] = [];
  /** Notices of endpoints so far: a desk that is forgotten and comes again goes on where it was. */
  #noticed = 0;
  /** Whether a lane may fetch, as of the end of the last round or the last tick: asked for after each request that ends. */
  #awaitsRoom = false;

  constructor(options: LaneOwnerOptions) {
    const { store, onFailure } = options;
    this.#options = options;
    this.#pump = new RoundPump({ round: () => this.#round(), onFailure: (error) => onFailure('lane round', error) });
    this.#sender = new CarefulSender(options);
    this.#desks = this.#createDesks();
    this.#lanes = new HeldLanes({
      ...options,
      acquire: (lanes) => store.acquire(lanes),
      sender: this.#sender,
      desks: this.#desks,
      share: options.lanes,
      onTaken: (lane) => this.#reader.explore(lane),
      requestRound: () => this.#pump.kick(),
    });
    const parts = { ...options, desks: this.#desks, held: this.#lanes };
    this.#leases = new LeaseKeeper({ ...parts, onShare: (lanes) => this.onShare(lanes) });
    const { byNumber } = this.#lanes;
    const leaseOf = (lane: number) => byNumber.get(lane)?.lease;
    this.#reader = new LaneReader({ ...parts, lanes: byNumber, onProgress: () => this.#pump.gotOn() });
    this.#handOver = new HandOver({
      ...parts,
      lanes: byNumber,
      fence: () => this.#leases.fence(performance.now()),
      requestRound: () => this.#pump.kick(),
    });
    this.#lateness = new Lateness({ ...parts, lanes: byNumber });
    this.#endpoints = new EndpointKeeper({ ...parts, leaseOf });
    this.#return = new LaneReturn({ ...parts, reader: this.#reader, endpoints: this.#endpoints });
    this.#settler = new Settler({
      nowMs: options.nowMs,
      write: (leases, attempts) => store.settle(leases, attempts),
      giveUp: (attempt, reason) => store.giveUp(attempt, reason),
      endDeliveriesOfDroppedDays: (attempts) => store.endDeliveriesOfDroppedDays(attempts),
      leaseOf,
      onSettled: (attempt, isWritten) => this.#settled(attempt, isWritten),
      onFailure: (error, attempts) => onFailure(`settle of ${attempts} attempts`, error),
    });
  }

  #createDesks(): Desks {
    const { store, onGateNews } = this.#options;
    return new Desks({
      ...this.#options,
      sender: this.#sender,
      loadTargets: (nums) => store.targets(nums),
      disableEndpoint: (num, reason, resets) => store.disableEndpoint(num, reason, resets),
      settle: (attempt) => this.#settler.add(attempt),
      egress: new EgressWatch(),
      onGateNews: (news, desk, isOfSystemEvent) => {
        const notice = gateNotice(news, desk, isOfSystemEvent);
        if (notice !== null) desk.notices.push({ ...notice, number: ++this.#noticed });
        onGateNews(news, desk.target!.tenantId, desk.target!.id);
      },
      awaitsRoom: () => this.#awaitsRoom,
      requestRound: () => this.#pump.kick(),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.beat(), HEARTBEAT_MS),
      setInterval(() => void this.#endpoints.refresh(), REFRESH_MS),
      setInterval(() => this.#exploreAll(), PARKED_RESCAN_MS),
      setInterval(() => this.#lateness.look(performance.now()), LATENESS_MS),
    ];
    void this.beat();
  }

  /** See `HeldLanes.hold`. */
  hold(number: number): Promise<void> {
    return this.#lanes.hold(number);
  }

  /** See `LeaseKeeper.beat`. */
  beat(): Promise<void> {
    return this.#leases.beat();
  }

  /** Tells awake lanes that they have new rows. @returns the lanes that are not awake here. */
  wake(numbers: Iterable<number>): number[] {
    const asleep: number[] = [];
    let isAnyAwake = false;
    for (const number of numbers) {
      const lane = this.#lanes.byNumber.get(number);
      if (lane === undefined || lane.isDraining) asleep.push(number);
      else {
        lane.wake();
        isAnyAwake = true;
      }
    }
    if (isAnyAwake) this.#pump.kick();
    return asleep;
  }

  /** See `HandOver.expect`. */
  expect(deliveries: readonly NewDelivery[]): ExpectedDeliveries | null {
    return this.#handOver.expect(deliveries);
  }

  /** Milliseconds since a round of work ended, while one is under way; 0 when there is nothing to do. */
  get stalledMs(): number {
    return this.#pump.stalledMs;
  }

  /** For how long this process keeps deliveries waiting by itself, in ms: see `Lateness`. */
  get lateMs(): number {
    return this.#lateness.msAt(performance.now());
  }

  /** For how long deliveries of a lane may have waited because it is to be given back, in ms: that is no lateness, as long as its requests under way may take. */
  get drainingMs(): number {
    return this.#lanes.drainingMs;
  }

  get load(): OwnerLoad {
    const { inFlight, inMemory } = this.#desks;
    return {
      lanes: this.#lanes.size,
      inFlight,
      rows: inMemory.size,
      bytes: inMemory.bytes,
      unsettled: this.#settler.size,
    };
  }

  /** Stops fetching, waits for what is under way until the deadline, writes it down, and gives every lane back. */
  async stop(deadlineMs: number): Promise<void> {
    const { store, ring, onFailure } = this.#options;
    this.#pump.stop();
    this.#lanes.close();
    const giveUpAt = performance.now() + deadlineMs;
    // A round that is under way may still be taking lanes: it ends before they are given back.
    while ((this.#desks.inFlight > 0 || this.#pump.isRunning) && performance.now() < giveUpAt) await pause(TICK_MS);
    const cutOff = this.#sender.abortAll();
    if (cutOff > 0) onFailure('stop of requests', new Error(`${cutOff} had no answer in time: they are made again`));
    await Promise.race([this.#settler.drain(), pause(Math.max(500, giveUpAt - performance.now()))]);
    for (const timer of this.#timers) clearInterval(timer);
    this.#desks.stop();
    await this.#endpoints.saveGates();
    await this.#reader.finish().catch((error: unknown) => onFailure('end of reading', error));
    const leases = [...this.#lanes].map((lane) => lane.lease);
    await store.release(leases).catch((error: unknown) => onFailure('release of lanes', error));
    this.#lanes.forgetAll();
    ring(leases.map((lease) => lease.lane));
  }

  async #round(): Promise<void> {
    await this.#lanes.acquire();
    await this.#reader.runOnce();
    await this.#return.runOnce();
    this.#awaitsRoom = this.#lanes.hasLaneToFetch;
    if (this.#awaitsRoom && this.#desks.memory.isFetchDue) this.#pump.kick();
  }

  #settled(attempt: SettledAttempt, isWritten: boolean): void {
    if (isWritten) this.#sender.settled(attempt);
    const lane = this.#desks.settled(attempt, isWritten);
    if (lane === undefined) return;
    if (!isWritten && this.#lanes.byNumber.get(attempt.lane) === lane) {
      // Ours, as far as we knew, and still not written: what this process believes of the lane is not to be trusted.
      this.#options.onFailure('settle of a delivery', new Error('not written'), {
        deliveryId: deliveryIdOf(attempt.eventUuid, attempt.endpointNum),
      });
      void this.#options.store.release([lane.lease]).catch(() => {});
      this.#lanes.lose(lane);
    }
    if (lane.isDraining && lane.rowsInMemory === 0) this.#pump.kick();
  }

  #exploreAll(): void {
    const now = performance.now();
    for (const lane of this.#lanes) if (lane.isUnexplored(now)) this.#reader.explore(lane.number);
    this.#pump.kick();
  }

  #tick(): void {
    if (this.#lanes.size === 0) return;
    const now = performance.now();
    this.#leases.fence(now);
    for (const lane of this.#lanes) lane.poll(now);
    this.#endpoints.saveUrgentGates();
    this.#desks.look(now);
    this.#awaitsRoom = this.#lanes.hasLaneToFetch;
    const mayRead = this.#awaitsRoom && (this.#desks.memory.isFetchDue || this.#desks.isClogged);
    if (mayRead || this.#reader.isRefillDue(now) || this.#reader.isLookDue(now)) this.#pump.kick();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

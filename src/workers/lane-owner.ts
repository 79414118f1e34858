import { type EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { Sender } from '../delivery/sender.ts';
import { deliveryIdOf } from '../domain/ids.ts';
import type { ExpectedDeliveries } from '../lane-waker.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { NewDelivery } from '../store/event-log.ts';
import type { LaneLease } from '../store/lanes.ts';
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
  /** Called when another process has a lane that this one thought it held. */
  readonly onLeaseLost: (lane: number) => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
}

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
  /** How many notices there were so far. Not counted by desk: a desk that is forgotten and comes again must not repeat a number. */
  #noticed = 0;
  /** Whether a lane may fetch, as of the end of the last round or the last tick: asked for after each request that ends. */
  #awaitsRoom = false;

  constructor(options: LaneOwnerOptions) {
    const { store, nowMs, onFailure } = options;
    const requestRound = () => this.#pump.kick();
    this.#options = options;
    this.#pump = new RoundPump({ round: () => this.#round(), onFailure: (error) => onFailure('lane round', error) });
    this.#sender = new CarefulSender({ sender: options.sender, store, onSetAside: options.onSetAside, onFailure });
    this.#desks = this.#createDesks(requestRound);
    this.#lanes = this.#createLanes(requestRound);
    const [desks, held, lanes] = [this.#desks, this.#lanes, this.#lanes.byNumber];
    this.#leases = new LeaseKeeper({
      store,
      held,
      lanes: options.lanes,
      leaseMs: options.leaseMs,
      onShare: (share) => this.onShare(share),
      onFailure,
    });
    const leaseOf = (lane: number) => lanes.get(lane)?.lease;
    this.#reader = new LaneReader({
      store,
      desks,
      lanes,
      maxInFlight: options.maxInFlight,
      nowMs,
      onFailure,
      onProgress: () => this.#pump.gotOn(),
    });
    const fence = () => this.#leases.fence(performance.now());
    this.#handOver = new HandOver({ desks, lanes, nowMs, fence, requestRound, onFailure });
    this.#lateness = new Lateness({ desks, lanes, nowMs });
    this.#endpoints = new EndpointKeeper({ store, desks, leaseOf, nowMs, onFailure });
    this.#return = new LaneReturn({
      store,
      held,
      desks,
      reader: this.#reader,
      endpoints: this.#endpoints,
      ring: options.ring,
      ringIn: options.ringIn,
    });
    this.#settler = this.#createSettler(leaseOf);
  }

  #createLanes(requestRound: () => void): HeldLanes {
    const { store, lanes, ringIn, onLeaseLost } = this.#options;
    return new HeldLanes({
      acquire: (numbers) => store.acquire(numbers),
      sender: this.#sender,
      desks: this.#desks,
      share: lanes,
      ringIn,
      onTaken: (lane) => this.#reader.explore(lane),
      onLeaseLost,
      requestRound,
    });
  }

  #createSettler(leaseOf: (lane: number) => LaneLease | undefined): Settler {
    const { store, nowMs, onFailure } = this.#options;
    return new Settler({
      nowMs,
      write: (leases, attempts) => store.settle(leases, attempts),
      giveUp: (attempt, reason) => store.giveUp(attempt, reason),
      endDeliveriesOfDroppedDays: (attempts) => store.endDeliveriesOfDroppedDays(attempts),
      leaseOf,
      onSettled: (attempt, isWritten) => this.#settled(attempt, isWritten),
      onFailure: (error, attempts) => onFailure(`settle of ${attempts} attempts`, error),
    });
  }

  #createDesks(requestRound: () => void): Desks {
    const { store, nowMs, userAgent, retentionMs, maxInFlight, maxBytes, pauseMs } = this.#options;
    const { onAttempt, onGateNews, onEgressChange, onFailure } = this.#options;
    return new Desks({
      sender: this.#sender,
      egress: new EgressWatch(),
      nowMs,
      userAgent,
      retentionMs,
      limits: { maxInFlight, maxBytes, pauseMs },
      store: {
        loadTargets: (nums) => store.targets(nums),
        disableEndpoint: (num, reason, resets) => store.disableEndpoint(num, reason, resets),
        settle: (attempt) => this.#settler.add(attempt),
      },
      events: {
        onAttempt,
        onGateNews: (news, desk, isOfSystemEvent) => {
          const notice = gateNotice(news, desk, isOfSystemEvent);
          if (notice !== null) desk.notices.push({ ...notice, number: ++this.#noticed });
          onGateNews(news, desk.target!.tenantId, desk.target!.id);
        },
        onEgressChange,
        onFailure,
      },
      awaitsRoom: () => this.#awaitsRoom,
      requestRound,
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

  /** Milliseconds since a round ended or got on, while one is under way; 0 when there is nothing to do. */
  get stalledMs(): number {
    return this.#pump.stalledMs;
  }

  /** For how long this process keeps deliveries waiting by itself, in ms: see `Lateness`. */
  get lateMs(): number {
    return this.#lateness.msAt(performance.now());
  }

  /**
   * For how long the lane that has been draining longest has been about to be given back, in ms; its deliveries may have waited as long.
   * That does not count as lateness, as it may take as long as the lane's requests under way.
   */
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

  /** Stops fetching, waits for the requests under way until the deadline, writes their attempts, and gives every lane back. */
  async stop(deadlineMs: number): Promise<void> {
    const { store, ring, onFailure } = this.#options;
    this.#pump.stop();
    this.#lanes.close();
    const giveUpAt = performance.now() + deadlineMs;
    // A round under way may still be taking lanes: it must end before these are given back.
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
      // This process thought that it had the lane, and still the attempt was not written: what it believes of the lane is wrong.
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
    for (const lane of this.#lanes) if (lane.exploration.isDue(now)) this.#reader.explore(lane.number);
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

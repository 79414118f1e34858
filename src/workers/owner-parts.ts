import { type EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { Sender } from '../delivery/sender.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { LaneLease } from '../store/lanes.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { StruckDelivery } from '../store/suspects.ts';
import { CarefulSender } from './careful-sender.ts';
import { Desks } from './desks.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import { GateNewsTeller } from './gate-news-teller.ts';
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

/** What its parts ask of the owner. */
export interface OwnerHooks {
  readonly round: () => Promise<void>;
  /** Whether a lane may fetch, and waits for room in memory. */
  readonly awaitsRoom: () => boolean;
  /** @param isWritten whether the attempt is in the table */
  readonly onSettled: (attempt: SettledAttempt, isWritten: boolean) => void;
  /** Told how many lanes this process should hold at most, whenever that changes. */
  readonly onShare: (lanes: number) => void;
}

/** What a lane owner is made of, put together. */
export class OwnerParts {
  readonly pump: RoundPump;
  readonly sender: CarefulSender;
  readonly desks: Desks;
  readonly lanes: HeldLanes;
  readonly leases: LeaseKeeper;
  readonly reader: LaneReader;
  readonly endpoints: EndpointKeeper;
  readonly laneReturn: LaneReturn;
  readonly settler: Settler;
  readonly handOver: HandOver;
  readonly lateness: Lateness;
  readonly #options: LaneOwnerOptions;
  readonly #hooks: OwnerHooks;

  constructor(options: LaneOwnerOptions, hooks: OwnerHooks) {
    const { store, leaseMs, maxInFlight, nowMs, ring, ringIn, onFailure } = options;
    this.#options = options;
    this.#hooks = hooks;
    this.pump = new RoundPump({ round: hooks.round, onFailure: (error) => onFailure('lane round', error) });
    const requestRound = () => this.pump.kick();
    this.sender = new CarefulSender({ sender: options.sender, store, onSetAside: options.onSetAside, onFailure });
    this.desks = this.#createDesks(requestRound);
    this.lanes = this.#createLanes(requestRound);
    const [desks, held, lanes] = [this.desks, this.lanes, this.lanes.byNumber];
    const { onShare } = hooks;
    this.leases = new LeaseKeeper({ store, held, lanes: options.lanes, leaseMs, onShare, onFailure });
    const onProgress = () => this.pump.gotOn();
    this.reader = new LaneReader({ store, desks, lanes, maxInFlight, nowMs, onFailure, onProgress });
    const fence = () => this.leases.fence(performance.now());
    this.handOver = new HandOver({ desks, lanes, nowMs, fence, requestRound, onFailure });
    this.lateness = new Lateness({ desks, lanes, nowMs });
    const leaseOf = (lane: number) => lanes.get(lane)?.lease;
    this.endpoints = new EndpointKeeper({ store, desks, leaseOf, nowMs, onFailure });
    const { reader, endpoints } = this;
    this.laneReturn = new LaneReturn({ store, held, desks, reader, endpoints, ring, ringIn });
    this.settler = this.#createSettler(leaseOf);
  }

  #createLanes(requestRound: () => void): HeldLanes {
    const { store, lanes, ringIn, onLeaseLost } = this.#options;
    return new HeldLanes({
      acquire: (numbers) => store.acquire(numbers),
      sender: this.sender,
      desks: this.desks,
      share: lanes,
      ringIn,
      onTaken: (lane) => this.reader.explore(lane),
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
      onSettled: this.#hooks.onSettled,
      onFailure: (error, attempts) => onFailure(`settle of ${attempts} attempts`, error),
    });
  }

  #createDesks(requestRound: () => void): Desks {
    const { store, nowMs, userAgent, retentionMs, maxInFlight, maxBytes, pauseMs } = this.#options;
    const { onAttempt, onGateNews, onEgressChange, onFailure } = this.#options;
    const teller = new GateNewsTeller(onGateNews);
    return new Desks({
      sender: this.sender,
      egress: new EgressWatch(),
      nowMs,
      userAgent,
      retentionMs,
      limits: { maxInFlight, maxBytes, pauseMs },
      store: {
        loadTargets: (nums) => store.targets(nums),
        disableEndpoint: (num, reason, resets) => store.disableEndpoint(num, reason, resets),
        settle: (attempt) => this.settler.add(attempt),
      },
      events: {
        onAttempt,
        onGateNews: (news, desk, isOfSystemEvent) => teller.tell(news, desk, isOfSystemEvent),
        onEgressChange,
        onFailure,
      },
      awaitsRoom: this.#hooks.awaitsRoom,
      requestRound,
    });
  }
}

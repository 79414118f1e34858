import { decide } from '../delivery/decide.ts';
import { type AttemptToMake, type PreparedRequest, prepare } from '../delivery/prepare.ts';
import type { Sender } from '../delivery/send.ts';
import { deliveryIdOf, eventIdOf } from '../domain/ids.ts';
import type { Outcome, SkipReason } from '../domain/outcome.ts';
import { type DueDelivery, START } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import { Desk, type Letter } from './desk.ts';
import { Lane } from './lane.ts';
import type { LaneStore } from './lane-store.ts';
import { Settler } from './settler.ts';

export interface LaneOwnerOptions {
  readonly store: LaneStore;
  readonly sender: Sender;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  readonly lanes: number;
  readonly maxInFlight: number;
  readonly maxBytes: number;
  /** Rings lanes for whoever is free. */
  readonly ring: (lanes: Iterable<number>) => void;
  readonly ringIn: (lane: number, delayMs: number) => void;
  readonly onAttempt: (attempt: SettledAttempt, tenantId: string, endpointId: string) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

const HEARTBEAT_MS = 2_000;
const TICK_MS = 10;
/** Rows of one endpoint that wait in memory at most, while memory is plentiful and when it is getting scarce. */
const DESK_PLENTY = 256;
const DESK_SCARCE = 8;
const FETCH_SIZE = 500;
const PARKED_DESKS_PER_ROUND = 64;
const PAUSE_AFTER_FAILURE_MS = 200;
/** How soon a lane is rung again that this process had no place for. */
const TURN_AWAY_MS = 100;

/**
 * Owns lanes and carries their deliveries: fetch → admit → prepare → send → decide → settle, a batch at each end. One of it lives in a
 * process and serves all the lanes that the process holds, so that a statement serves them all.
 */
export class LaneOwner {
  /** Told how many lanes this process should hold at most, whenever that changes. */
  onShare: (lanes: number) => void = () => {};
  readonly #options: LaneOwnerOptions;
  readonly #settler: Settler;
  readonly #lanes = new Map<number, Lane>();
  readonly #requested = new Map<number, PromiseWithResolvers<void>>();
  readonly #desks = new Map<number, Desk>();
  /** Desks that may have something to send, in turn. */
  readonly #ready = new Set<Desk>();
  /** Rows in memory, by delivery, with the lane that they were fetched under. */
  readonly #held = new Map<string, Lane>();
  #overflow: DueDelivery[] = [];
  #heldBytes = 0;
  #inFlight = 0;
  #share: number;
  #isPumping = false;
  #isKicked = false;
  #isStopping = false;
  #isDispatching = false;
  #roundAt = performance.now();
  #timers: NodeJS.Timeout[] = [];

  constructor(options: LaneOwnerOptions) {
    this.#options = options;
    this.#share = options.lanes;
    this.#settler = new Settler({
      write: (leases, attempts) => options.store.settle(leases, attempts),
      leaseOf: (lane) => this.#lanes.get(lane)?.lease,
      onSettled: (attempt, isWritten) => this.#settled(attempt, isWritten),
      onFailure: (error, attempts) => options.onFailure(`settle of ${attempts} attempts`, error),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.#beat(), HEARTBEAT_MS),
      setInterval(() => void this.#refreshTargets(), 1_000),
    ];
    void this.#beat();
  }

  /** Takes a lane if nobody has it. Resolves when it is given back, lost, or was somebody else's. */
  hold(lane: number): Promise<void> {
    const ours = this.#lanes.get(lane);
    if (ours !== undefined) {
      ours.wake();
      this.#kick();
      return ours.released;
    }
    if (this.#isStopping) return Promise.resolve();
    if (this.#lanes.size + this.#requested.size >= this.#share && !this.#requested.has(lane)) {
      this.#options.ringIn(lane, TURN_AWAY_MS);
      return Promise.resolve();
    }
    let request = this.#requested.get(lane);
    if (request === undefined) {
      request = Promise.withResolvers<void>();
      this.#requested.set(lane, request);
      this.#kick();
    }
    return request.promise;
  }

  /** Tells awake lanes that they have new rows. @returns the lanes that are not awake here. */
  wake(lanes: Iterable<number>): number[] {
    const asleep: number[] = [];
    for (const number of lanes) {
      const lane = this.#lanes.get(number);
      if (lane === undefined || lane.isDraining) asleep.push(number);
      else lane.wake();
    }
    this.#kick();
    return asleep;
  }

  /** Milliseconds since a round of work ended, while there is work to do; 0 when there is none. */
  get stalledMs(): number {
    return this.#isPumping ? performance.now() - this.#roundAt : 0;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get lanesHeld(): number {
    return this.#lanes.size;
  }

  /** Stops fetching, waits for what is under way until the deadline, writes it down, and gives every lane back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    for (const lane of this.#lanes.values()) this.#drain(lane);
    const giveUpAt = performance.now() + deadlineMs;
    while (this.#inFlight > 0 && performance.now() < giveUpAt) await pause(10);
    this.#options.sender.abortAll();
    await Promise.race([this.#settler.drain(), pause(Math.max(500, giveUpAt - performance.now()))]);
    for (const timer of this.#timers) clearInterval(timer);
    const leases = [...this.#lanes.values()].map((lane) => lane.lease);
    await this.#options.store.release(leases).catch((error: unknown) => this.#options.onFailure('release of lanes', error));
    for (const lane of [...this.#lanes.values()]) this.#lose(lane);
    for (const request of this.#requested.values()) request.resolve();
    this.#options.ring(leases.map((lease) => lease.lane));
  }

  #kick(): void {
    this.#isKicked = true;
    if (!this.#isPumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    while (this.#isKicked && !this.#isStopping) {
      this.#isKicked = false;
      try {
        await this.#round();
        this.#roundAt = performance.now();
      } catch (error) {
        this.#options.onFailure('lane round', error);
        await pause(PAUSE_AFTER_FAILURE_MS);
        this.#isKicked = true;
      }
    }
    this.#isPumping = false;
  }

  async #round(): Promise<void> {
    await this.#acquire();
    await this.#fetch();
    this.#relieve();
    await this.#parkOverflow();
    await this.#pullParked();
    await this.#parkOverflow();
    await this.#releaseIdle();
    if (this.#hasHungryLane() && this.#hasRoom()) this.#isKicked = true;
  }

  async #acquire(): Promise<void> {
    if (this.#requested.size === 0) return;
    const requests = new Map(this.#requested);
    const leases = await this.#options.store.acquire([...requests.keys()]);
    for (const lease of leases) {
      const lane = new Lane(lease, performance.now());
      this.#lanes.set(lease.lane, lane);
      void lane.released.then(requests.get(lease.lane)!.resolve);
    }
    for (const [number, request] of requests) {
      this.#requested.delete(number);
      if (!this.#lanes.has(number)) request.resolve();
    }
    if (leases.length > 0) await this.#findParked(leases.map((lease) => lease.lane));
  }

  async #findParked(lanes: readonly number[]): Promise<void> {
    for (const { lane, endpointNum } of await this.#options.store.parkedEndpoints(lanes)) {
      this.#deskOf(endpointNum, lane).markParked();
    }
    await this.#loadTargets([...this.#desks.values()].filter((desk) => desk.hasParked && desk.version < 0));
  }

  async #fetch(): Promise<void> {
    if (!this.#hasRoom()) return;
    const now = performance.now();
    const hungry = [...this.#lanes.values()].filter((lane) => lane.isHungry && !lane.isDraining);
    if (hungry.length === 0) return;
    const size = Math.max(8, Math.min(FETCH_SIZE, Math.floor(this.#room() / hungry.length)));
    for (const lane of hungry) lane.isHungry = false;
    const fetches = hungry.map((lane) => lane.nextFetch(size, now));
    const rows = await this.#options.store.fetchDue(fetches).catch((error: unknown) => {
      for (const lane of hungry) lane.isHungry = true;
      throw error;
    });
    const fresh = rows.filter((row) => !this.#held.has(keyOf(row)));
    for (const [i, lane] of hungry.entries()) {
      const ofLane = (row: DueDelivery) => row.lane === lane.number;
      const woken = lane.isHungry;
      lane.fetched(rows.filter(ofLane), fresh.filter(ofLane).length, fetches[i]!.limit, now);
      if (woken) lane.wake();
    }
    await this.#admit(fresh);
  }

  async #admit(rows: readonly DueDelivery[]): Promise<void> {
    if (rows.length === 0) return;
    const desks = new Set(rows.map((row) => this.#deskOf(row.endpointNum, row.lane)));
    const newest = new Map(rows.map((row) => [row.endpointNum, row.endpointVersion]));
    const [bodies] = await Promise.all([
      this.#options.store.bodies([...new Set(rows.map((row) => row.eventUuid))]),
      this.#loadTargets([...desks].filter((desk) => desk.version < newest.get(desk.num)!)),
    ]);
    for (const row of rows) {
      const lane = this.#lanes.get(row.lane);
      const body = bodies.get(row.eventUuid);
      // The lane may have been lost, or the event's partition dropped, while the bodies came.
      if (lane === undefined || lane.isDraining || body === undefined) continue;
      this.#admitOne({ due: row, body }, this.#deskOf(row.endpointNum, row.lane), lane);
    }
    this.#dispatch();
  }

  #admitOne(letter: Letter, desk: Desk, lane: Lane): void {
    const { due, body } = letter;
    const key = keyOf(due);
    if (this.#held.has(key)) return;
    const skip: SkipReason | null = body.expunged ? 'payload_expunged' : desk.isDeleted ? 'endpoint_deleted' : null;
    if (skip === null && (!desk.isOpen || desk.waiting.length >= this.#deskLimit())) {
      desk.markParked();
      this.#overflow.push(due);
      return;
    }
    this.#held.set(key, lane);
    lane.held++;
    this.#heldBytes += body.body.length;
    if (skip !== null) this.#settle(letter, this.#options.nowMs(), { kind: 'skipped', reason: skip }, desk);
    else {
      desk.waiting.push(letter);
      this.#ready.add(desk);
    }
  }

  /** Sends one of each ready desk in turn until nothing may be sent. */
  #dispatch(): void {
    // A request that fails at once calls back at once: the loop that is running goes on with what that freed.
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    while (this.#inFlight < this.#options.maxInFlight) {
      const desk = this.#ready.values().next().value;
      if (desk === undefined) break;
      this.#ready.delete(desk);
      if (!desk.isOpen || !desk.hasRoom) continue;
      const letter = desk.waiting.shift();
      if (letter === undefined) continue;
      if (desk.waiting.length > 0) this.#ready.add(desk);
      this.#send(letter, desk);
    }
    this.#isDispatching = false;
  }

  #send(letter: Letter, desk: Desk): void {
    const { due, body } = letter;
    const startedAtMs = this.#options.nowMs();
    const delivery = {
      deliveryId: deliveryIdOf(due.eventUuid, due.endpointNum),
      eventId: body.externalId ?? eventIdOf(due.eventUuid),
      attempt: due.attempt + 1,
      body: body.body,
    };
    const request = this.#prepare(desk, delivery, startedAtMs);
    if (request === null) {
      desk.waiting.unshift(letter);
      this.#shelve(desk);
      return;
    }
    desk.inFlight++;
    this.#inFlight++;
    this.#options.sender.send(request, (outcome) => {
      desk.inFlight--;
      this.#inFlight--;
      this.#settle(letter, startedAtMs, outcome, desk);
      if (desk.waiting.length > 0) this.#ready.add(desk);
      this.#dispatch();
      if (this.#hasRoom() && (this.#hasHungryLane() || (desk.hasParked && desk.isOpen))) this.#kick();
    });
  }

  /** A delivery that cannot be prepared is parked with its endpoint; the others go on. */
  #prepare(desk: Desk, delivery: AttemptToMake, startedAtMs: number): PreparedRequest | null {
    try {
      return prepare(desk.target!, desk.keys, delivery, Math.floor(startedAtMs / 1000), this.#options.userAgent);
    } catch (error) {
      desk.problem = (error as Error).message;
      this.#options.onFailure(`preparing of delivery ${delivery.deliveryId}`, error);
      return null;
    }
  }

  #settle({ due, body }: Letter, startedAtMs: number, outcome: Outcome, desk: Desk): void {
    this.#heldBytes -= body.body.length;
    const target = desk.target;
    const decision = decide(outcome, {
      step: due.step,
      schedule: target?.retryScheduleMs ?? [],
      random: Math.random,
      nowMs: this.#options.nowMs(),
    });
    const { eventUuid, endpointNum, tenantNum, lane } = due;
    this.#settler.add({ eventUuid, endpointNum, tenantNum, lane, attempt: due.attempt + 1, startedAtMs, outcome, decision });
    if (decision.kind === 'disable') this.#disable(desk, decision.reason);
  }

  #settled(attempt: SettledAttempt, isWritten: boolean): void {
    const key = keyOf(attempt);
    const lane = this.#held.get(key);
    if (lane === undefined) return;
    const target = this.#desks.get(attempt.endpointNum)?.target;
    if (isWritten) this.#options.onAttempt(attempt, target?.tenantId ?? '', target?.id ?? '');
    else if (this.#lanes.get(attempt.lane) === lane) {
      this.#options.onFailure(`settle of delivery ${deliveryIdOf(attempt.eventUuid, attempt.endpointNum)}`, new Error('not written'));
      this.#lose(lane);
    }
    this.#held.delete(key);
    lane.held--;
    if (lane.isDraining && lane.held === 0) this.#kick();
  }

  #disable(desk: Desk, reason: string): void {
    if (desk.target !== null) desk.target = { ...desk.target, enabled: false };
    this.#shelve(desk);
    this.#options.store
      .disableEndpoint(desk.num, reason)
      .catch((error: unknown) => this.#options.onFailure('disabling of an endpoint', error));
  }

  /** Puts what waits at a desk back into the table, parked. */
  #shelve(desk: Desk): void {
    for (const letter of this.#dropWaiting(desk)) this.#overflow.push(letter.due);
    desk.markParked();
    this.#kick();
  }

  /** When memory runs short, what waits for endpoints that take no more goes back to the table. */
  #relieve(): void {
    if (this.#hasRoom()) return;
    for (const desk of this.#desks.values()) if (desk.waiting.length > 0 && !desk.hasRoom) this.#shelve(desk);
  }

  #dropWaiting(desk: Desk): Letter[] {
    const letters = desk.waiting.splice(0);
    this.#ready.delete(desk);
    for (const { due, body } of letters) {
      const key = keyOf(due);
      const lane = this.#held.get(key);
      if (lane !== undefined) lane.held--;
      this.#held.delete(key);
      this.#heldBytes -= body.body.length;
    }
    return letters;
  }

  async #pullParked(): Promise<void> {
    if (!this.#hasRoom()) return;
    const desks = [...this.#desks.values()]
      .filter((desk) => desk.hasParked && (desk.isOpen || desk.isDeleted) && desk.hasRoom && desk.waiting.length < this.#deskLimit() / 4)
      .filter((desk) => this.#lanes.get(desk.lane)?.isDraining === false)
      .slice(0, PARKED_DESKS_PER_ROUND);
    if (desks.length === 0) return;
    const limitOf = (desk: Desk) => this.#deskLimit() + desk.held;
    const marks = new Map(desks.map((desk) => [desk, desk.parkings]));
    const rows = await this.#options.store.fetchParked(
      desks.map((desk) => ({ lane: desk.lane, endpointNum: desk.num, after: desk.parkedCursor, limit: limitOf(desk) })),
    );
    for (const desk of desks) {
      if (desk.parkings !== marks.get(desk)) continue;
      const ours = rows.filter((row) => row.endpointNum === desk.num);
      const isWhole = ours.length < limitOf(desk);
      // A scan that began at the start and came to the end has seen every parked row: all of them are in memory now.
      if (isWhole && desk.parkedCursor === START) desk.hasParked = false;
      desk.parkedCursor = isWhole ? START : (ours.at(-1) ?? START);
    }
    await this.#admit(rows.filter((row) => !this.#held.has(keyOf(row))));
  }

  async #parkOverflow(): Promise<void> {
    if (this.#overflow.length === 0) return;
    const rows = this.#overflow;
    this.#overflow = [];
    await this.#options.store.park(rows).catch((error: unknown) => {
      this.#overflow.push(...rows);
      throw error;
    });
  }

  async #releaseIdle(): Promise<void> {
    const idle = [...this.#lanes.values()].filter((lane) => (lane.isDraining ? lane.held === 0 : lane.isIdle && !this.#hasOpenParked(lane)));
    if (idle.length === 0) return;
    const due = await this.#options.store.nextDue(idle.map((lane) => lane.number));
    const leaving = idle.filter((lane) => lane.isDraining || (lane.isIdle && due.get(lane.number) !== 0));
    if (leaving.length === 0) return;
    await this.#options.store.release(leaving.map((lane) => lane.lease));
    for (const lane of leaving) {
      const inMs = due.get(lane.number);
      if (lane.isHungry || inMs === 0) this.#options.ring([lane.number]);
      else if (inMs !== undefined) this.#options.ringIn(lane.number, inMs);
      this.#lose(lane);
    }
  }

  #hasOpenParked(lane: Lane): boolean {
    for (const desk of this.#desks.values()) if (desk.lane === lane.number && desk.hasParked && desk.isOpen) return true;
    return false;
  }

  #drain(lane: Lane): void {
    lane.isDraining = true;
    for (const desk of this.#desks.values()) if (desk.lane === lane.number) this.#dropWaiting(desk);
    this.#kick();
  }

  /** Forgets a lane. What is under way goes on, and its settle counts only if the lane comes back to us first. */
  #lose(lane: Lane): void {
    this.#lanes.delete(lane.number);
    for (const desk of [...this.#desks.values()]) {
      if (desk.lane !== lane.number) continue;
      this.#dropWaiting(desk);
      this.#desks.delete(desk.num);
    }
    lane.resolveReleased();
  }

  async #beat(): Promise<void> {
    const leases = [...this.#lanes.values()].map((lane) => lane.lease);
    try {
      const { held, workers } = await this.#options.store.heartbeat(leases);
      for (const lease of leases) {
        const lane = this.#lanes.get(lease.lane);
        if (lane !== undefined && lane.lease === lease && !held.has(lease.lane)) this.#lose(lane);
      }
      this.#setShare(Math.ceil(this.#options.lanes / workers));
    } catch (error) {
      this.#options.onFailure('heartbeat', error);
    }
  }

  #setShare(share: number): void {
    if (share === this.#share) return;
    this.#share = share;
    this.onShare(share);
    const kept = [...this.#lanes.values()].filter((lane) => !lane.isDraining);
    const surplus = kept.sort((a, b) => a.held - b.held).slice(0, Math.max(0, kept.length - share));
    for (const lane of surplus) this.#drain(lane);
  }

  async #refreshTargets(): Promise<void> {
    try {
      const versions = await this.#options.store.targetVersions([...this.#desks.keys()]);
      const now = this.#options.nowMs();
      const isStale = (desk: Desk) =>
        (versions.get(desk.num) ?? desk.version) > desk.version || (desk.refreshAtMs !== null && desk.refreshAtMs <= now) || desk.problem !== null;
      await this.#loadTargets([...this.#desks.values()].filter(isStale));
      this.#forgetIdleDesks();
    } catch (error) {
      this.#options.onFailure('refresh of endpoints', error);
    }
  }

  async #loadTargets(desks: readonly Desk[]): Promise<void> {
    if (desks.length === 0) return;
    const targets = await this.#options.store.targets(desks.map((desk) => desk.num));
    for (const desk of desks) {
      const loaded = targets.get(desk.num);
      if (loaded === undefined) continue;
      if (loaded.kind === 'unusable' && desk.problem === null) this.#options.onFailure(`endpoint ${desk.num}`, new Error(loaded.problem));
      desk.load(loaded);
      if (!desk.isOpen && desk.waiting.length > 0) this.#shelve(desk);
      if (desk.isOpen && desk.hasParked) this.#kick();
    }
  }

  #forgetIdleDesks(): void {
    for (const desk of [...this.#desks.values()]) if (desk.held === 0 && !desk.hasParked) this.#desks.delete(desk.num);
  }

  #tick(): void {
    if (this.#lanes.size === 0) return;
    const now = performance.now();
    for (const lane of this.#lanes.values()) lane.poll(now);
    if (this.#hasHungryLane() && this.#hasRoom()) this.#kick();
  }

  #deskOf(num: number, lane: number): Desk {
    let desk = this.#desks.get(num);
    if (desk === undefined) {
      desk = new Desk(num, lane);
      this.#desks.set(num, desk);
    }
    return desk;
  }

  #room(): number {
    return this.#options.maxInFlight * 2 - this.#held.size;
  }

  /** Small fetches cost as much as large ones: below a quarter of the window it is not worth asking. */
  #hasRoom(): boolean {
    return this.#room() >= this.#options.maxInFlight / 2 && this.#heldBytes < this.#options.maxBytes;
  }

  #deskLimit(): number {
    return this.#held.size < this.#options.maxInFlight ? DESK_PLENTY : DESK_SCARCE;
  }

  #hasHungryLane(): boolean {
    for (const lane of this.#lanes.values()) if (lane.isHungry && !lane.isDraining) return true;
    return false;
  }
}

function keyOf({ eventUuid, endpointNum }: { eventUuid: string; endpointNum: number }): string {
  return `${eventUuid}${endpointNum}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

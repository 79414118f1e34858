import type { EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import { type AttemptTiming, type Outcome, staysInMailbox } from '../domain/outcome.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { DueDelivery, EventBody, OrderPlace } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { LoadedTarget } from '../store/targets.ts';
import { Admission } from './admission.ts';
import { AttemptCloser } from './attempt-closer.ts';
import { Crowding } from './crowding.ts';
import type { Desk } from './desk.ts';
import { DeskClearer } from './desk-clearer.ts';
import { DeskList } from './desk-list.ts';
import { Dispatcher, type DispatcherOptions, type Finished } from './dispatcher.ts';
import { EndpointDisabler } from './endpoint-disabler.ts';
import type { Lane } from './lane.ts';
import { MemoryShares } from './memory-shares.ts';
import { PendingTableWrites } from './pending-table-writes.ts';
import { recheck } from './recheck.ts';
import { RowsInMemory } from './rows-in-memory.ts';
import type { SendScheduler } from './send-scheduler.ts';

export interface DesksOptions {
  readonly sender: DispatcherOptions['sender'];
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** How long events are kept; for ever without it. */
  readonly retentionMs?: number;
  readonly userAgent: string;
  readonly maxInFlight: number;
  readonly maxBytes: number;
  /** See `MemoryLimits`. */
  readonly pauseMs: () => number;
  readonly loadTargets: (nums: readonly number[]) => Promise<Map<number, LoadedTarget>>;
  /** @returns false where it was changed meanwhile, so that the reason is none any more */
  readonly disableEndpoint: (endpointNum: number, reason: string, resets: number) => Promise<boolean>;
  readonly settle: (attempt: SettledAttempt) => void;
  readonly onAttempt: (attempt: SettledAttempt, ids: AttemptIds) => void;
  readonly onGateNews: (news: GateNews, desk: Desk, isOfSystemEvent: boolean) => void;
  readonly egress: EgressWatch;
  readonly onEgressChange: (change: EgressChange) => void;
  /** Whether something is to be fetched for which there was no room. */
  readonly awaitsRoom: () => boolean;
  /** There is room, or something to park or pull. */
  readonly requestRound: () => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
}

/** How long deliveries of an endpoint that takes no more may wait in memory when others want the place, in ms, and while it is crowded. */
const SLOW_MS = 1_000;
const CROWDED_SLOW_MS = 50;

const NO_TIMING: AttemptTiming = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 };

/**
 * The deliveries that a process has in memory, by endpoint: admit → prepare → send → decide. Bounded in rows, bytes and requests under
 * way; rows of an endpoint that is closed, or has more than its share here, and rows that stand behind others, go to `tableWrites`.
 */
export class Desks {
  readonly #options: DesksOptions;
  /** Those that it knows of. */
  readonly list: DeskList;
  readonly #dispatcher: Dispatcher;
  readonly #closer: AttemptCloser;
  readonly #clearer: DeskClearer;
  readonly #admission: Admission;
  readonly #inMemory = new RowsInMemory();
  readonly memory: MemoryShares;
  readonly crowding: Crowding;
  /** For the table. */
  readonly tableWrites = new PendingTableWrites();
  #isUrgent = false;

  constructor(options: DesksOptions) {
    this.#options = options;
    this.list = new DeskList(options.nowMs);
    this.memory = new MemoryShares(this.#inMemory, options, () => this.crowding.isOn);
    this.#dispatcher = new Dispatcher({
      ...options,
      onFinished: (finished) => this.#finish(finished),
      onFreed: (desk) => {
        if ((options.awaitsRoom() && this.memory.isFetchDue) || this.#wantsRefill(desk)) options.requestRound();
      },
      onUnsure: options.requestRound,
      shelve: (desk) => this.#clearer.shelve(desk),
      onUnmade: (desk, letter, startedAtMs, detail) => {
        const outcome: Outcome = { kind: 'blocked', detail, timing: NO_TIMING };
        this.#closer.close(letter, { startedAtMs, outcome, isOurs: false, isOutdated: false, news: [] }, desk);
      },
    });
    const disabler = new EndpointDisabler({ ...options, shelve: (desk) => this.#clearer.shelve(desk) });
    this.#closer = new AttemptCloser({ ...options, disable: (desk, reason) => disabler.disable(desk, reason) });
    const { list, memory } = this;
    this.crowding = new Crowding({ list, memory, scheduler: this.#dispatcher.scheduler });
    const parts = {
      ...options,
      list: this.list,
      inMemory: this.#inMemory,
      memory: this.memory,
      crowding: this.crowding,
      tableWrites: this.tableWrites,
      dispatcher: this.#dispatcher,
      closer: this.#closer,
    };
    this.#clearer = new DeskClearer(parts);
    this.#admission = new Admission(parts);
  }

  get inFlight(): number {
    return this.#dispatcher.inFlight + this.#closer.undecided;
  }

  /** Who sends next. */
  get scheduler(): Pick<SendScheduler, 'of' | 'finished' | 'areShort' | 'hasSlotOf'> {
    return this.#dispatcher.scheduler;
  }

  /** See `Dispatcher.isPutOff`. */
  isPutOff = (desk: Desk): boolean => this.#dispatcher.isPutOff(desk);

  /** To be called every few ms. */
  look(now: number): void {
    this.#dispatcher.scheduler.look(now);
    this.crowding.look(now);
  }

  /** What is in memory. */
  get inMemory(): Omit<RowsInMemory, 'add' | 'letGo' | 'read'> {
    return this.#inMemory;
  }

  /** See `RowsInMemory.read`. */
  read: RowsInMemory['read'] = (fetch) => this.#inMemory.read(fetch);

  /** See `Admission.turnAway`. */
  turnAway(rows: readonly DueDelivery[]): readonly DueDelivery[] {
    return this.#admission.turnAway(rows);
  }

  /** See `Admission.admit`. */
  admit(
    rows: readonly DueDelivery[],
    bodies: Pick<ReadonlyMap<string, EventBody>, 'get'>,
    laneOf: (row: DueDelivery) => Lane | undefined,
    seenAt = performance.now(),
  ): void {
    this.#admission.admit(rows, bodies, laneOf, seenAt);
  }

  #finish({ letter, desk, startedAtMs, outcome, passage }: Finished): void {
    const clock = { nowMs: this.#options.nowMs(), random: Math.random };
    const { isOurs, lastsMs, change } = this.#options.egress.note(desk, outcome, performance.now());
    if (change !== null) this.#options.onEgressChange(change);
    const news = isOurs ? [] : desk.gate!.finish(outcome, passage, clock);
    this.#isUrgent ||= desk.gate!.isUrgent;
    const isOutdated = !desk.gate!.isOf(passage);
    this.#closer.close(letter, { startedAtMs, outcome, isOurs, lastsMs, isOutdated, news }, desk);
    if (desk.waiting.length > 0 && !desk.isOpen(clock.nowMs)) this.#clearer.shelve(desk);
  }

  /** Whether it has a backlog in the table, nothing left here, and memory for more. */
  #wantsRefill(desk: Desk): boolean {
    // While it is crowded, slots are given out by the reader, for all of them together.
    if (this.crowding.isOn || !desk.wantsParked(this.#options.nowMs())) return false;
    return this.memory.hasRowsFree && this.memory.tenantMayHaveMore(desk.tenantNum);
  }

  /** Lets time have its effect on gates. */
  passTime(): void {
    const nowMs = this.#options.nowMs();
    for (const desk of this.list) {
      const news = desk.gate?.tick(nowMs) ?? [];
      for (const each of news) this.#options.onGateNews(each, desk, false);
      if (news.length > 0) this.#dispatcher.reconsider(desk);
    }
    this.#dispatcher.run();
  }

  /** Whether some gate has changed since the last call in a way that is to be saved at once. */
  takeUrgency(): boolean {
    const isUrgent = this.#isUrgent;
    this.#isUrgent = false;
    return isUrgent;
  }

  stop(): void {
    this.#dispatcher.stop();
  }

  /**
   * Ends the holding of a row that was settled, and lets the next one of its key go.
   * @param isWritten whether the attempt is in the table: what it would let go must not go before that
   * @returns the lane that it was fetched under
   */
  settled(attempt: SettledAttempt, isWritten: boolean): Lane | undefined {
    const row = this.#inMemory.letGo(attempt);
    const desk = this.list.get(attempt.endpointNum);
    if (desk?.wasFlooded === true && staysInMailbox(attempt.decision)) desk.markParked();
    if (isWritten && desk !== undefined && row?.order != null) this.#advance(desk, row.order, attempt);
    return row?.lane;
  }

  #advance(desk: Desk, order: OrderPlace, { decision, mayPauseKey }: SettledAttempt): void {
    const isOver = !staysInMailbox(decision) && !mayPauseKey;
    // The endpoint may have been told to go on meanwhile: the table knows.
    if (mayPauseKey) this.tableWrites.ask(desk.num, order.key);
    this.#clearer.follow(desk, order, isOver ? desk.lines.ended(order) : desk.lines.left(order));
    this.#dispatcher.run();
  }

  /** Whether memory is short because of endpoints that take no more: then a round is due although nothing can be fetched before it. */
  get isClogged(): boolean {
    return !this.memory.hasRowsFree && this.#slow().length > 0;
  }

  /** When memory runs short, or a tenant's part of it, what has waited long for endpoints that take no more goes back to the table. */
  relieve(): void {
    for (const desk of this.#slow())
      if (!this.memory.hasRowsFree || !this.memory.tenantMayHaveMore(desk.tenantNum) || this.#keepsOut(desk))
        this.#clearer.shelve(desk);
  }

  /** Whether what waits there finds no slot while another class of its endpoint may, for which it leaves no place as long as rows come in by places. */
  #keepsOut(desk: Desk): boolean {
    const { crowding } = this;
    return crowding.isOn && desk.wantsParked(this.#options.nowMs()) && !this.#dispatcher.scheduler.hasSlotFor(desk);
  }

  #slow(): Desk[] {
    const { scheduler } = this.#dispatcher;
    return this.list.slow(this.crowding.isOn ? CROWDED_SLOW_MS : SLOW_MS, (desk) => scheduler.hasSlotFor(desk));
  }

  /** See `recheck`. */
  recheck(stillWaiting: (rows: readonly DueDelivery[]) => Promise<readonly DeliveryKey[]>): Promise<void> {
    return recheck(this.#dispatcher, this.#clearer, stillWaiting);
  }

  isInMemory = (row: DeliveryKey): boolean => this.#inMemory.has(row);

  /** Lets go of what waits for a lane; what is under way goes on. */
  dropLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#clearer.clear(desk);
  }

  /** Somebody else serves the lane now: what is under way would come on top of what that one sends, and cannot be settled any more. */
  abandonLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#clearer.forget(this.#dispatcher.abandon(desk));
    this.#dispatcher.run();
  }

  /** Drops a lane's waiting rows and everything known of its endpoints. */
  forgetLane(lane: number): void {
    this.dropLane(lane);
    this.list.forgetLane(lane);
  }

  /** Reads endpoints' settings anew, and closes or opens their desks accordingly. */
  async loadTargets(desks: readonly Desk[]): Promise<void> {
    if (desks.length === 0) return;
    const targets = await this.#options.loadTargets(desks.map((desk) => desk.num));
    for (const desk of desks) {
      const loaded = targets.get(desk.num);
      if (loaded === undefined) continue;
      if (loaded.kind === 'unusable' && desk.problem === null)
        this.#options.onFailure('endpoint', new Error(loaded.problem), {
          endpointId: loaded.id,
          tenantId: loaded.tenantId,
        });
      this.#load(desk, loaded);
    }
    this.#dispatcher.run();
  }

  #load(desk: Desk, loaded: LoadedTarget): void {
    const nowMs = this.#options.nowMs();
    desk.load(loaded, nowMs);
    const isOpen = desk.isOpen(nowMs);
    if (!isOpen && desk.waiting.length > 0) this.#clearer.shelve(desk);
    if (isOpen && desk.hasParked) this.#options.requestRound();
    // Its limits may be others now.
    this.#dispatcher.reconsider(desk);
  }
}

import { type AttemptTiming, type Outcome, staysInMailbox } from '../domain/outcome.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { DueDelivery, EventBody, OrderPlace } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import { Admission } from './admission.ts';
import { AttemptCloser } from './attempt-closer.ts';
import { Crowding } from './crowding.ts';
import type { Desk } from './desk.ts';
import { DeskClearer } from './desk-clearer.ts';
import { DeskList } from './desk-list.ts';
import type { DesksOptions } from './desks-options.ts';
import { Dispatcher, type Finished } from './dispatcher.ts';
import { EndpointDisabler } from './endpoint-disabler.ts';
import type { Lane } from './lane.ts';
import { MemoryShares } from './memory-shares.ts';
import { PendingTableWrites } from './pending-table-writes.ts';
import { recheck } from './recheck.ts';
import { Relief } from './relief.ts';
import { RowsInMemory } from './rows-in-memory.ts';
import type { SendScheduler } from './send-scheduler.ts';
import { TargetLoader } from './target-loader.ts';

const NO_TIMING: AttemptTiming = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 };

/**
 * The deliveries that a process has in memory, by endpoint: admit → prepare → send → decide. Bounded in rows, bytes and requests under
 * way; rows of an endpoint that is closed, or has more than its share here, and rows that stand behind others, go to `tableWrites`.
 */
export class Desks {
  readonly #options: DesksOptions;
  /** The desks that this process knows. */
  readonly list: DeskList;
  readonly #dispatcher: Dispatcher;
  readonly #closer: AttemptCloser;
  readonly #clearer: DeskClearer;
  readonly #admission: Admission;
  readonly #relief: Relief;
  readonly #targets: TargetLoader;
  readonly #inMemory = new RowsInMemory();
  readonly memory: MemoryShares;
  readonly crowding: Crowding;
  /** What is to be written to the table about rows. */
  readonly tableWrites = new PendingTableWrites();
  #isUrgent = false;

  constructor(options: DesksOptions) {
    const { nowMs, limits, store, requestRound } = options;
    const { onGateNews, onFailure } = options.events;
    this.#options = options;
    this.list = new DeskList(nowMs);
    this.memory = new MemoryShares(this.#inMemory, limits, () => this.crowding.isOn);
    const shelve = (desk: Desk) => this.#clearer.shelve(desk);
    this.#dispatcher = this.#createDispatcher(shelve);
    const disabler = new EndpointDisabler({ disableEndpoint: store.disableEndpoint, shelve, onFailure });
    this.#closer = new AttemptCloser({
      nowMs,
      retentionMs: options.retentionMs,
      settle: store.settle,
      onAttempt: options.events.onAttempt,
      onGateNews,
      disable: (desk, reason) => disabler.disable(desk, reason),
    });
    const { list, memory, tableWrites } = this;
    const [inMemory, dispatcher, closer] = [this.#inMemory, this.#dispatcher, this.#closer];
    this.crowding = new Crowding({ list, memory, scheduler: dispatcher.scheduler });
    this.#clearer = new DeskClearer({ nowMs, inMemory, tableWrites, dispatcher, requestRound });
    const { crowding } = this;
    const clearer = this.#clearer;
    this.#admission = new Admission({ nowMs, list, inMemory, memory, crowding, tableWrites, dispatcher, closer });
    this.#relief = new Relief({ list, memory, crowding, scheduler: dispatcher.scheduler, clearer, nowMs });
    const { loadTargets } = store;
    this.#targets = new TargetLoader({ loadTargets, onFailure, clearer, dispatcher, nowMs, requestRound });
  }

  #createDispatcher(shelve: (desk: Desk) => void): Dispatcher {
    const { sender, egress, nowMs, userAgent, limits, events, awaitsRoom, requestRound } = this.#options;
    return new Dispatcher({
      sender,
      egress,
      nowMs,
      userAgent,
      maxInFlight: limits.maxInFlight,
      onFinished: (finished) => this.#finish(finished),
      onFreed: (desk) => {
        if ((awaitsRoom() && this.memory.isFetchDue) || this.#wantsRefill(desk)) requestRound();
      },
      onUnsure: requestRound,
      shelve,
      onUnmade: (desk, letter, startedAtMs, detail) => {
        const outcome: Outcome = { kind: 'blocked', detail, timing: NO_TIMING };
        this.#closer.close(letter, { startedAtMs, outcome, isOurs: false, isOutdated: false, news: [] }, desk);
      },
      onFailure: events.onFailure,
    });
  }

  get inFlight(): number {
    return this.#dispatcher.inFlight + this.#closer.undecided;
  }

  /** Decides which desk sends next. */
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

  /** The rows in memory. */
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
    if (change !== null) this.#options.events.onEgressChange(change);
    const news = isOurs ? [] : desk.gate!.finish(outcome, passage, clock);
    this.#isUrgent ||= desk.gate!.isUrgent;
    const isOutdated = !desk.gate!.isOf(passage);
    this.#closer.close(letter, { startedAtMs, outcome, isOurs, lastsMs, isOutdated, news }, desk);
    if (desk.waiting.length > 0 && !desk.isOpen(clock.nowMs)) this.#clearer.shelve(desk);
  }

  /** Whether more of the desk's parked backlog is to be read now: that helps it, and memory has room. */
  #wantsRefill(desk: Desk): boolean {
    // In crowded mode the reader deals the slots, for all desks together.
    if (this.crowding.isOn || !desk.wantsParked(this.#options.nowMs())) return false;
    return this.memory.hasRowsFree && this.memory.tenantMayHaveMore(desk.tenantNum);
  }

  /** Tells all gates how late it is: one may open, or close, by that alone. */
  passTime(): void {
    const nowMs = this.#options.nowMs();
    for (const desk of this.list) {
      const news = desk.gate?.tick(nowMs) ?? [];
      for (const each of news) this.#options.events.onGateNews(each, desk, false);
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
   * Takes a settled row out of memory, and lets the next of its key go.
   * @param isWritten whether the attempt is in the table: the next of its key must not go before that
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
    // The endpoint may pause the key, or may have stopped pausing meanwhile: only the table knows.
    if (mayPauseKey) this.tableWrites.ask(desk.num, order.key);
    this.#clearer.follow(desk, order, isOver ? desk.lines.ended(order) : desk.lines.left(order));
    this.#dispatcher.run();
  }

  /** See `Relief.isDue`. */
  get isClogged(): boolean {
    return this.#relief.isDue;
  }

  /** See `Relief.relieve`. */
  relieve(): void {
    this.#relief.relieve();
  }

  /** See `recheck`. */
  recheck(stillWaiting: (rows: readonly DueDelivery[]) => Promise<readonly DeliveryKey[]>): Promise<void> {
    return recheck(this.#dispatcher, this.#clearer, stillWaiting);
  }

  isInMemory = (row: DeliveryKey): boolean => this.#inMemory.has(row);

  /** Takes a lane's waiting rows out of memory. Requests under way go on. */
  dropLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#clearer.clear(desk);
  }

  /**
   * Aborts a lane's requests: another process serves it now and sends the same deliveries, and their attempts could not be settled here.
   */
  abandonLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#clearer.forget(this.#dispatcher.abandon(desk));
    this.#dispatcher.run();
  }

  /** Takes a lane's waiting rows out of memory, and forgets its desks. */
  forgetLane(lane: number): void {
    this.dropLane(lane);
    this.list.forgetLane(lane);
  }

  /** See `TargetLoader.load`. */
  loadTargets(desks: readonly Desk[]): Promise<void> {
    return this.#targets.load(desks);
  }
}

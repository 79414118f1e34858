import type { EgressChange, EgressWatch } from '../delivery/egress-watch.ts';
import type { GateNews } from '../delivery/gate.ts';
import type { AttemptTiming, Outcome, SkipReason } from '../domain/outcome.ts';
import type { DueDelivery, EventBody, OrderPlace } from '../store/mailbox.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { LoadedTarget } from '../store/targets.ts';
import { AttemptCloser } from './attempt-closer.ts';
import { type Desk, UNKNOWN } from './desk.ts';
import { DeskList } from './desk-list.ts';
import { Dispatcher, type DispatcherOptions, type Finished } from './dispatcher.ts';
import { type DeliveryKey, HeldRows, keyOf } from './held-rows.ts';
import type { Aftermath } from './key-lines.ts';
import type { Lane } from './lane.ts';
import { classOf, type Letter, type LetterClass } from './letter-queue.ts';
import { MemoryShares } from './memory-shares.ts';
import { SetAside } from './set-aside.ts';

export interface DesksOptions {
  readonly sender: DispatcherOptions['sender'];
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  readonly maxInFlight: number;
  readonly maxBytes: number;
  readonly loadTargets: (nums: readonly number[]) => Promise<Map<number, LoadedTarget>>;
  readonly disableEndpoint: (endpointNum: number, reason: string) => Promise<void>;
  readonly settle: (attempt: SettledAttempt) => void;
  readonly onAttempt: (attempt: SettledAttempt, tenantId: string, endpointId: string) => void;
  readonly onGateNews: (news: GateNews, desk: Desk, isOfSystemEvent: boolean) => void;
  readonly egress: EgressWatch;
  readonly onEgressChange: (change: EgressChange) => void;
  /** There is room, or something to park or pull. */
  readonly onChange: () => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

const NO_TIMING: AttemptTiming = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 };

/** Rows of one endpoint that are set aside at once, as a share of the requests under way, above which no more of them are read. */
const FLOOD_SHARE = 1 / 16;

/**
 * The deliveries that a process has in memory, by endpoint: admit → prepare → send → decide. Bounded in rows, bytes and requests under
 * way; rows of an endpoint that is closed, or has more than its share here, and rows that stand behind others, are set `aside`, for the table.
 */
export class Desks {
  readonly #options: DesksOptions;
  /** Those that it knows of. */
  readonly list: DeskList;
  readonly #dispatcher: Dispatcher;
  readonly #closer: AttemptCloser;
  readonly #held = new HeldRows();
  readonly memory: MemoryShares;
  /** For the table. */
  readonly aside = new SetAside();
  #busyDesks = 0;
  #isUrgent = false;

  constructor(options: DesksOptions) {
    this.#options = options;
    this.list = new DeskList(options.nowMs);
    this.memory = new MemoryShares(this.#held, options);
    this.#dispatcher = new Dispatcher({
      ...options,
      onFinished: (finished) => this.#finish(finished),
      onFreed: () => {
        if (this.memory.hasRoom) options.onChange();
      },
      onUnsure: options.onChange,
      shelve: (desk) => this.#shelve(desk),
      onUnmade: (desk, letter, startedAtMs, detail) => {
        const outcome: Outcome = { kind: 'blocked', detail, timing: NO_TIMING };
        this.#closer.close(letter, { startedAtMs, outcome, isOurs: false, news: [] }, desk);
      },
    });
    this.#closer = new AttemptCloser({ ...options, disable: (desk, reason) => this.#disable(desk, reason) });
  }

  get inFlight(): number {
    return this.#dispatcher.inFlight;
  }

  /** What is in memory. */
  get held(): Pick<HeldRows, 'size' | 'bytes'> {
    return this.#held;
  }

  /** See `HeldRows.read`. */
  read(fetch: () => Promise<DueDelivery[]>): ReturnType<HeldRows['read']> {
    return this.#held.read(fetch);
  }

  /** Sets aside the rows of tenants that have their share: nobody need read their bodies. @returns the others. */
  turnAway(rows: readonly DueDelivery[]): readonly DueDelivery[] {
    const full = new Set([...new Set(rows.map((row) => row.tenantNum))].filter((num) => !this.memory.mayTake(num)));
    if (full.size === 0) return rows;
    for (const due of rows)
      if (full.has(due.tenantNum) && !this.#held.has(due)) this.#setAside(this.list.of(due.endpointNum, due.lane), due);
    return rows.filter((row) => !full.has(row.tenantNum));
  }

  /** Takes rows in, with their bodies; rows of lanes that are not given any more, or whose event is gone, are left alone. */
  admit(
    rows: readonly DueDelivery[],
    bodies: ReadonlyMap<string, EventBody>,
    laneOf: (row: DueDelivery) => Lane | undefined,
  ): void {
    const admittedAt = performance.now();
    this.#busyDesks = this.#held.endpoints;
    for (const due of rows) {
      const lane = laneOf(due);
      const body = bodies.get(due.eventUuid);
      if (lane !== undefined && body !== undefined)
        this.#admitOne({ due, body, admittedAt, checkedAt: admittedAt }, lane);
    }
    this.#dispatcher.run();
  }

  #admitOne(letter: Letter, lane: Lane): void {
    const { due, body } = letter;
    if (this.#held.has(due)) return;
    const desk = this.list.of(due.endpointNum, due.lane);
    const skip: SkipReason | null = body.expunged ? 'payload_expunged' : desk.isDeleted ? 'endpoint_deleted' : null;
    if (skip !== null) {
      this.#held.add(due, lane, body.body.length);
      this.#skip(letter, skip, desk);
      return;
    }
    const mayWait = this.memory.mayTake(due.tenantNum) && !this.#isFull(desk, classOf(due));
    if (mayWait && desk.isOpen(this.#options.nowMs())) this.#queue(letter, lane, desk);
    else this.#setAside(desk, due);
  }

  #queue(letter: Letter, lane: Lane, desk: Desk): void {
    const { due } = letter;
    const standing = due.order === null ? 'go' : desk.lines.admit(letter, due.order);
    if (standing === 'behind') {
      this.aside.setBehind([due]);
      return;
    }
    this.#held.add(due, lane, letter.body.body.length);
    if (standing === 'wait') return;
    desk.waiting.push(letter);
    this.#dispatcher.offer(desk);
  }

  #setAside(desk: Desk, due: DueDelivery): void {
    if (due.order !== null && (due.order.behindSeq !== null || due.order.isPaused)) {
      this.aside.setBehind([due]);
      return;
    }
    desk.markParked();
    this.aside.park([due]);
  }

  #skip(letter: Letter, reason: SkipReason, desk: Desk): void {
    const startedAtMs = this.#options.nowMs();
    this.#closer.close(letter, { startedAtMs, outcome: { kind: 'skipped', reason }, isOurs: false, news: [] }, desk);
  }

  #isFull(desk: Desk, kind: LetterClass): boolean {
    const share = this.memory.ofEndpoint(desk.target?.maxInFlight ?? 0, this.#busyDesks);
    return desk.waiting.lengthOf(kind) + desk.lines.waiting >= (kind === 'first' ? share : share / 2);
  }

  #finish({ letter, desk, startedAtMs, outcome, passage }: Finished): void {
    const clock = { nowMs: this.#options.nowMs(), random: Math.random };
    const { isOurs, change } = this.#options.egress.note(desk, outcome, clock.nowMs);
    if (change !== null) this.#options.onEgressChange(change);
    const news = isOurs ? [] : desk.gate!.finish(outcome, passage, clock);
    this.#isUrgent ||= desk.gate!.isUrgent;
    this.#closer.close(letter, { startedAtMs, outcome, isOurs, news }, desk);
    if (desk.waiting.length > 0 && !desk.isOpen(clock.nowMs)) this.#shelve(desk);
  }

  #disable(desk: Desk, reason: string): void {
    if (desk.target !== null) desk.target = { ...desk.target, enabled: false };
    this.#shelve(desk);
    this.#options.disableEndpoint(desk.num, reason).catch((error: unknown) => {
      this.#options.onFailure('disabling of an endpoint', error);
      // It is still enabled for everyone else: the next answer of its receiver disables it again.
      desk.version = UNKNOWN;
    });
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
    const held = this.#held.letGo(attempt);
    const desk = this.list.get(attempt.endpointNum);
    if (desk?.wasFlooded === true && 'delayMs' in attempt.decision) desk.markParked();
    if (isWritten && desk !== undefined && held?.order != null) this.#advance(desk, held.order, attempt);
    return held?.lane;
  }

  #advance(desk: Desk, order: OrderPlace, { decision, pauses }: SettledAttempt): void {
    const isOver = !('delayMs' in decision) && !pauses;
    this.#follow(desk, order, isOver ? desk.lines.ended(order) : desk.lines.left(order));
    this.#dispatcher.run();
  }

  /** What follows for those of a key when one of them has ended or left. */
  #follow(desk: Desk, { key }: OrderPlace, { freed, behind, asksTable }: Aftermath): void {
    this.#forgetLetters(behind);
    this.aside.setBehind(behind.map(({ due }) => due));
    if (freed !== null) {
      desk.waiting.push(freed);
      if (desk.isOpen(this.#options.nowMs())) this.#dispatcher.offer(desk);
      else this.#shelve(desk);
    }
    if (asksTable) this.aside.ask(desk.num, key);
    if (asksTable || behind.length > 0) this.#options.onChange();
  }

  /** Puts what waits at a desk back into the table. */
  #shelve(desk: Desk): void {
    const { next, behind } = this.#dropWaiting(desk);
    this.aside.park(next.map(({ due }) => due));
    this.aside.setBehind(behind.map(({ due }) => due));
    desk.markParked();
    this.#options.onChange();
  }

  /** Whether memory is short because of endpoints that take no more: then a round is due although nothing can be fetched before it. */
  get isClogged(): boolean {
    return !this.memory.hasRoom && this.#slow().length > 0;
  }

  /** When memory runs short, or a tenant's part of it, what has waited long for endpoints that take no more goes back to the table. */
  relieve(): void {
    for (const desk of this.#slow())
      if (!this.memory.hasRoom || !this.memory.mayTake(desk.tenantNum)) this.#shelve(desk);
  }

  #slow(): Desk[] {
    return this.list.slow((desk) => this.#dispatcher.hasSlotFor(desk.tenantNum));
  }

  #dropWaiting(desk: Desk): { next: readonly Letter[]; behind: readonly Letter[] } {
    const next = desk.waiting.remove();
    const behind = desk.lines.takeWaiting();
    for (const { due } of next) if (due.order !== null) desk.lines.left(due.order);
    this.#dispatcher.withdraw(desk);
    this.#forgetLetters([...next, ...behind]);
    return { next, behind };
  }

  #forgetLetters(letters: readonly Letter[]): void {
    for (const { due } of letters) this.#held.letGo(due);
  }

  /** Looks for rows that have waited long: one that is gone from the mailbox (cancelled, expunged) is not sent any more. */
  async recheck(stillWaiting: (rows: readonly DueDelivery[]) => Promise<readonly DeliveryKey[]>): Promise<void> {
    const desks = this.#dispatcher.takeUnsure();
    const letters = desks.flatMap((desk) => [...desk.waiting]);
    if (letters.length === 0) return;
    const found = await stillWaiting(letters.map((letter) => letter.due)).catch((error: unknown) => {
      this.#dispatcher.returnUnsure(desks);
      throw error;
    });
    for (const desk of desks) this.#dispatcher.offer(desk);
    const there = new Set(found.map(keyOf));
    // From the answer on: where Postgres is slow, one that counts from the question would be too old on arrival, time and again.
    const checkedAt = performance.now();
    for (const letter of letters) letter.checkedAt = checkedAt;
    const gone = new Set(letters.filter((letter) => !there.has(keyOf(letter.due))));
    for (const desk of desks) this.#dropGone(desk, gone);
    this.#dispatcher.run();
  }

  #dropGone(desk: Desk, gone: ReadonlySet<Letter>): void {
    const letters = desk.waiting.remove((each) => gone.has(each));
    this.#forgetLetters(letters);
    for (const { due } of letters) if (due.order !== null) this.#follow(desk, due.order, desk.lines.ended(due.order));
  }

  /** Of rows that were set aside together: an endpoint that many of them are for gets more than it can take. */
  noteFloods(rows: readonly DueDelivery[]): void {
    const many = Math.max(1, this.#options.maxInFlight * FLOOD_SHARE);
    if (rows.length < many) return;
    for (const [num, ours] of Map.groupBy(rows, (row) => row.endpointNum)) {
      const desk = this.list.get(num);
      if (desk !== undefined && ours.length >= many) desk.flood = ours[0]!.order === null ? 'plain' : 'ordered';
    }
  }

  isHeld = (row: DeliveryKey): boolean => this.#held.has(row);

  /** Lets go of what waits for a lane; what is under way goes on. */
  dropLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#dropWaiting(desk);
  }

  /** Somebody else serves the lane now: what is under way would come on top of what that one sends, and cannot be settled any more. */
  abandonLane(lane: number): void {
    for (const desk of this.list.ofLane(lane)) this.#forgetLetters(this.#dispatcher.abandon(desk));
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
        this.#options.onFailure(`endpoint ${desk.num}`, new Error(loaded.problem));
      this.#load(desk, loaded);
    }
    this.#dispatcher.run();
  }

  #load(desk: Desk, loaded: LoadedTarget): void {
    const nowMs = this.#options.nowMs();
    desk.load(loaded, nowMs);
    const isOpen = desk.isOpen(nowMs);
    if (!isOpen && desk.waiting.length > 0) this.#shelve(desk);
    if (isOpen && desk.hasParked) this.#options.onChange();
    // Its limits may be others now.
    this.#dispatcher.reconsider(desk);
  }
}

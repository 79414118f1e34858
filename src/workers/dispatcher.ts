import type { EgressWatch } from '../delivery/egress-watch.ts';
import type { Passage } from '../delivery/gate.ts';
import { type AttemptToMake, type PreparedRequest, prepare } from '../delivery/prepare.ts';
import { eventIdOf } from '../domain/ids.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { AttemptIds } from '../observability/facts.ts';
import type { CarefulSender } from './careful-sender.ts';
import { CastBudget } from './cast-budget.ts';
import type { Desk } from './desk.ts';
import type { Flight } from './flights.ts';
import { classOf, deliveryIdOfLetter, type Letter } from './letter-queue.ts';
import { Naps } from './naps.ts';
import { Probes } from './probes.ts';
import { SendScheduler } from './send-scheduler.ts';

/** A request that has ended. */
export interface Finished {
  readonly letter: Letter;
  readonly desk: Desk;
  /** When it began, on Postgres's clock. */
  readonly startedAtMs: number;
  readonly outcome: Outcome;
  readonly passage: Passage;
}

export interface DispatcherOptions {
  readonly sender: Pick<CarefulSender, 'send' | 'isCareful' | 'tryOut'>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  readonly maxInFlight: number;
  readonly egress: Pick<EgressWatch, 'isHeldFor'>;
  readonly onFinished: (finished: Finished) => void;
  /** A request of that desk has ended, and what could go in its place has gone. */
  readonly onFreed: (desk: Desk) => void;
  /** Rows wait to be looked for again: see `takeUnsure`. */
  readonly onUnsure: () => void;
  /** Puts what waits at a desk back into the table. */
  readonly shelve: (desk: Desk) => void;
  /** No request can be made of this event for this endpoint: an attempt that failed before it began. */
  readonly onUnmade: (desk: Desk, letter: Letter, startedAtMs: number, detail: string) => void;
  readonly onFailure: (what: string, error: unknown, about?: Partial<AttemptIds>) => void;
}

/**
 * How long a row may wait in memory before it is looked for in the mailbox again, in ms: it may have been cancelled, or its payload
 * expunged, meanwhile.
 */
const STALE_MS = 100;
const RESUMED_AT_ONCE = 4;
/** How long a desk waits before it may be a probe again, while our own egress seems to be at fault, in ms. */
const PROBE_PAUSE_MS = 500;
/** Without what was thrown: that may quote the payload, which an expunge could not take out of the attempt. */
const UNMADE = 'the event cannot be written for this endpoint: its bytes are damaged, or a cast failed';

/** The outcome if Posthorn itself fails while it sends: an attempt like any other, so that nothing stays under way. */
const UNSENT: Outcome = {
  kind: 'unreachable',
  reason: 'network',
  detail: 'the request could not be made: an error of Posthorn itself, see its log',
  timing: { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: 0 },
};

/** Sends what waits at the desks: prepare → send, in fair turns, within the bounds of the process and those of each endpoint. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly scheduler: SendScheduler;
  readonly #casts = new CastBudget();
  readonly #probes = new Probes();
  /** Desks that wait for their rate limit, or until casts may be made for them. */
  readonly #naps: Naps<Desk>;
  /** Desks whose turn it was when no slot was left for the kind of delivery that they have. */
  readonly #deferred = new Set<Desk>();
  /** Desks whose rows have waited so long that they must be looked for again before they are sent. */
  readonly #unsure = new Set<Desk>();
  #isRunning = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.scheduler = new SendScheduler(options.maxInFlight);
    this.#naps = new Naps((desks) => {
      for (const desk of desks) this.scheduler.add(desk);
      this.run();
    });
  }

  get inFlight(): number {
    return this.scheduler.inFlight;
  }

  /** Has the desk wait for its turn, if it has something to send. */
  offer(desk: Desk): void {
    if (desk.waiting.length > 0 && !this.#naps.has(desk)) this.scheduler.add(desk);
  }

  /** The same, after what kept it waiting may have changed. */
  reconsider(desk: Desk): void {
    this.#naps.delete(desk);
    this.offer(desk);
  }

  /** Whether the desk waits for its rate limit, for casts of its tenant, or until our own egress works again. */
  isPutOff(desk: Desk): boolean {
    return this.#naps.has(desk);
  }

  /** Forgets a desk at which nothing waits any more. */
  withdraw(desk: Desk): void {
    this.scheduler.delete(desk);
    this.#naps.delete(desk);
    this.#deferred.delete(desk);
    this.#unsure.delete(desk);
  }

  /** Desks whose rows must be looked for again. The caller takes them over, and offers them again. */
  takeUnsure(): Desk[] {
    const desks = [...this.#unsure];
    this.#unsure.clear();
    return desks;
  }

  /** Takes them back after a look that failed. */
  returnUnsure(desks: readonly Desk[]): void {
    for (const desk of desks) if (desk.waiting.length > 0) this.#unsure.add(desk);
  }

  /** Sends until nothing may be sent. */
  run(): void {
    // A request that fails at once calls back at once: the loop that is running goes on with what that freed.
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let desk = this.scheduler.next(); desk !== undefined; desk = this.scheduler.next()) this.#serve(desk);
    } finally {
      this.#isRunning = false;
    }
  }

  stop(): void {
    this.#naps.stop();
  }

  #serve(desk: Desk): void {
    const nowMs = this.#options.nowMs();
    if (!desk.isOpen(nowMs)) {
      // Nothing would look at these letters again. From the table they come back once the endpoint is open.
      if (desk.waiting.length > 0) this.#options.shelve(desk);
      return;
    }
    if (!desk.hasRoom(nowMs)) return;
    const castInMs = desk.cast === null ? 0 : this.#casts.waitMs(desk.tenantNum);
    const waitMs = Math.max(desk.gate!.tokenInMs(nowMs), castInMs, this.#isHeldBack(desk) ? PROBE_PAUSE_MS : 0);
    if (waitMs > 0) {
      this.#naps.add(desk, waitMs);
      return;
    }
    const letter = desk.waiting.take(this.scheduler.mayBegin);
    if (letter !== undefined) this.#sendOne(desk, letter, nowMs);
    else if (desk.waiting.length > 0) this.#deferred.add(desk);
  }

  #isHeldBack(desk: Desk): boolean {
    return this.#options.egress.isHeldFor(desk.num) && !this.#probes.mayBegin(desk.tenantNum);
  }

  #sendOne(desk: Desk, letter: Letter, startedAtMs: number): void {
    if (performance.now() - letter.checkedAt > STALE_MS) {
      desk.waiting.putBack(letter);
      this.#unsure.add(desk);
      this.#options.onUnsure();
      return;
    }
    const { sender, egress } = this.#options;
    const isOnTrial = sender.isCareful(desk.lane);
    const request = isOnTrial ? null : this.#prepare(desk, letter, startedAtMs);
    if (request === null && !isOnTrial) {
      this.offer(desk);
      return;
    }
    const passage = desk.gate!.begin(startedAtMs);
    const isProbe = egress.isHeldFor(desk.num);
    const flight: Flight = { letter, kind: classOf(letter.due), isProbe, request: null, place: -1 };
    desk.flights.begin(flight);
    this.#began(desk, flight);
    this.offer(desk);
    const onOutcome = (outcome: Outcome) => {
      if (!this.#land(desk, flight)) return;
      this.#options.onFinished({ letter, desk, startedAtMs, outcome, passage });
      this.#goOn(desk);
    };
    try {
      flight.request =
        request === null
          ? sender.tryOut(letter.due, (isRecorded) => this.#prepareOnTrial(desk, flight, isRecorded), onOutcome)
          : sender.send(request, onOutcome);
    } catch (error) {
      this.#options.onFailure('sending of a delivery', error, { deliveryId: deliveryIdOfLetter(letter), ...desk.ids });
      onOutcome(UNSENT);
    }
  }

  /**
   * The trial may have waited long: the endpoint may be disabled or closed, and an unrecorded delivery cancelled. Then undo the start: the
   * letter goes back to its queue.
   */
  #prepareOnTrial(desk: Desk, flight: Flight, isRecorded: boolean): PreparedRequest | null {
    const nowMs = this.#options.nowMs();
    const isOpen = desk.isOpen(nowMs);
    let request: PreparedRequest | null = null;
    if (isOpen && isRecorded) request = this.#prepare(desk, flight.letter, nowMs, flight);
    else {
      this.#land(desk, flight);
      desk.waiting.putBack(flight.letter);
      if (!isOpen) this.#options.shelve(desk);
    }
    if (request === null) this.#goOn(desk);
    return request;
  }

  /** Ends a flight. @returns false when it was abandoned already */
  #land(desk: Desk, flight: Flight): boolean {
    const wasUnderWay = desk.flights.end(flight);
    if (wasUnderWay) this.#ended(desk, flight);
    return wasUnderWay;
  }

  #began(desk: Desk, { kind, isProbe }: Flight): void {
    this.scheduler.began(desk, kind);
    if (isProbe) this.#probes.began(desk.tenantNum);
  }

  #ended(desk: Desk, { kind, isProbe }: Flight): void {
    this.scheduler.ended(desk, kind);
    if (isProbe) this.#probes.ended(desk.tenantNum);
  }

  /** A request of the desk is no longer under way: sends what may go in its place. */
  #goOn(desk: Desk): void {
    this.offer(desk);
    this.#resumeDeferred();
    this.run();
    this.#options.onFreed(desk);
  }

  /** Aborts the requests to the endpoint that are under way. @returns their letters, of which no outcome is reported any more */
  abandon(desk: Desk): readonly Letter[] {
    const abandoned = desk.flights.abandon();
    for (const flight of abandoned) this.#ended(desk, flight);
    return abandoned.map(({ letter }) => letter);
  }

  /** One request that ended makes room for few desks: the others go on waiting, or each end would cost a look at all. */
  #resumeDeferred(): void {
    let left = RESUMED_AT_ONCE;
    for (const desk of this.#deferred) {
      if (left-- === 0) break;
      this.#deferred.delete(desk);
      this.offer(desk);
    }
  }

  /**
   * @returns null if no request can be prepared. If the event is at fault, the attempt fails; if the endpoint is, all its letters are
   * parked. Others go on.
   */
  #prepare(desk: Desk, letter: Letter, startedAtMs: number, flight?: Flight): PreparedRequest | null {
    const { due, body } = letter;
    const deliveryId = deliveryIdOfLetter(letter);
    const eventId = body.externalId ?? eventIdOf(due.eventUuid);
    let isOfEvent = true;
    try {
      const bytes = desk.cast === null ? body.body : desk.cast(body.body, this.#casts);
      const message = desk.envelope === null ? { body: bytes } : desk.envelope(bytes);
      isOfEvent = false;
      const delivery: AttemptToMake = { deliveryId, eventId, attempt: due.attempt + 1, event: body.body, ...message };
      return prepare(desk.target!, desk.keys, delivery, Math.floor(startedAtMs / 1000), this.#options.userAgent);
    } catch (error) {
      this.#options.onFailure('preparing of a delivery', error, { deliveryId, ...desk.ids });
      if (flight !== undefined) this.#land(desk, flight);
      // A SyntaxError is the event's fault: of a request only the key of a broker's message is parsed, and that comes from the event.
      if (isOfEvent || error instanceof SyntaxError) this.#options.onUnmade(desk, letter, startedAtMs, UNMADE);
      else this.#park(desk, letter, (error as Error).message);
      return null;
    }
  }

  #park(desk: Desk, letter: Letter, problem: string): void {
    desk.problem = problem;
    desk.waiting.putBack(letter);
    this.#options.shelve(desk);
  }
}

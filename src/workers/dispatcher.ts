import { type AttemptToMake, type PreparedRequest, prepare } from '../delivery/prepare.ts';
import type { Sender } from '../delivery/send.ts';
import { deliveryIdOf, eventIdOf } from '../domain/ids.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Desk, Letter } from './desk.ts';

export interface DispatcherOptions {
  readonly sender: Sender;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly userAgent: string;
  readonly maxInFlight: number;
  readonly onOutcome: (letter: Letter, startedAtMs: number, outcome: Outcome, desk: Desk) => void;
  /** A request has ended, and what could go in its place has gone. */
  readonly onFreed: () => void;
  /** Rows wait to be looked for again: see `takeUnsure`. */
  readonly onUnsure: () => void;
  /** Puts what waits at a desk back into the table. */
  readonly shelve: (desk: Desk) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

/**
 * How long a row may wait in memory before it is looked for in the mailbox again, in ms: it may have been cancelled, or its payload
 * expunged, meanwhile.
 */
const STALE_MS = 100;

/** Sends what waits at the desks: prepare → send, one of each desk in turn, within the bound of the process and that of each endpoint. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** Desks that may have something to send, in turn. */
  readonly #ready = new Set<Desk>();
  /** Desks whose rows have waited so long that they must be looked for again before they are sent. */
  readonly #unsure = new Set<Desk>();
  #inFlight = 0;
  #isRunning = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The desk has something to send. */
  offer(desk: Desk): void {
    this.#ready.add(desk);
  }

  /** Nothing waits at the desk any more. */
  withdraw(desk: Desk): void {
    this.#ready.delete(desk);
    this.#unsure.delete(desk);
  }

  /** Desks whose rows must be looked for again; the caller takes them over, and offers them anew. */
  takeUnsure(): Desk[] {
    const desks = [...this.#unsure];
    this.#unsure.clear();
    return desks;
  }

  /** Sends until nothing may be sent. */
  run(): void {
    // A request that fails at once calls back at once: the loop that is running goes on with what that freed.
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#inFlight < this.#options.maxInFlight) {
      const desk = this.#ready.values().next().value;
      if (desk === undefined) break;
      this.#ready.delete(desk);
      if (desk.isOpen && desk.hasRoom) this.#sendNext(desk);
    }
    this.#isRunning = false;
  }

  #sendNext(desk: Desk): void {
    const letter = desk.waiting.shift();
    if (letter === undefined) return;
    if (performance.now() - letter.checkedAt > STALE_MS) {
      desk.waiting.unshift(letter);
      this.#unsure.add(desk);
      this.#options.onUnsure();
      return;
    }
    const startedAtMs = this.#options.nowMs();
    const request = this.#prepare(desk, letter, startedAtMs);
    if (request === null) {
      desk.waiting.unshift(letter);
      this.#options.shelve(desk);
      return;
    }
    if (desk.waiting.length > 0) this.#ready.add(desk);
    desk.inFlight++;
    this.#inFlight++;
    this.#options.sender.send(request, (outcome) => {
      desk.inFlight--;
      this.#inFlight--;
      this.#options.onOutcome(letter, startedAtMs, outcome, desk);
      if (desk.waiting.length > 0) this.#ready.add(desk);
      this.run();
      this.#options.onFreed();
    });
  }

  /** A delivery that cannot be prepared is parked with its endpoint; the others go on. */
  #prepare(desk: Desk, { due, body }: Letter, startedAtMs: number): PreparedRequest | null {
    const delivery: AttemptToMake = {
      deliveryId: deliveryIdOf(due.eventUuid, due.endpointNum),
      eventId: body.externalId ?? eventIdOf(due.eventUuid),
      attempt: due.attempt + 1,
      body: body.body,
    };
    try {
      return prepare(desk.target!, desk.keys, delivery, Math.floor(startedAtMs / 1000), this.#options.userAgent);
    } catch (error) {
      desk.problem = (error as Error).message;
      this.#options.onFailure(`preparing of delivery ${delivery.deliveryId}`, error);
      return null;
    }
  }
}

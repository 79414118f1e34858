import type { Socket } from 'node:net';
import { type Failure, unreachable } from './classify.ts';
import type { Destination } from './destination.ts';
import type { ExtraAllowance } from './extra-sockets.ts';
import { UnhurriedTimer } from './unhurried-timer.ts';

/** A connection to one address in the making. */
export interface Opening {
  /** Ends it. */
  destroy(): void;
}

export interface TurnsOptions {
  /** With at least one address. */
  readonly destination: Destination;
  /**
   * By when all of them are to have been tried, by `performance.now()`: where half a second for each is too long for that, some come later or never. What
   * still runs then goes on until `destroy`.
   */
  readonly endsAt: number;
  /** For the sockets that it has beside one. */
  readonly extra: ExtraAllowance;
  /** Begins to connect to the address of a turn, and tells the turn how it fares, never before it returns (`begin` excepted). */
  readonly open: (turn: Turn) => Opening;
}

export type TurnsCallback = (failure: Failure | null, socket: Socket | null) => void;

/** The least that each address has, in ms: a receiver on another continent takes a third of a second. */
export const MIN_SHARE_MS = 500;
/** Sockets that one connection in the making may have. */
const MOST_AT_ONCE = 3;
/** Whoever has so many addresses cut TLS handshakes off cuts them off at all: each costs us the beginning of one, and a name may have 32. */
const MOST_CUT_OFF = 3;
const SILENT = unreachable('timeout', 'no connection to an address within its share of the time');

/**
 * Connects to the first of some addresses that makes it to the end: the next is tried when one fails, or has used up its share of the time. That one
 * goes on beside the next (as RFC 8305 §5 has it): what is slow at all of them would never come to its end otherwise, nor would what is slow at the one
 * that this host can try. Where there is no extra socket left for that, one that is silent is given up for the next; who has none but such as are in the
 * TLS handshake goes on with them, and asks again when one fails, or after another share. Whatever lost is destroyed.
 *
 * Calls back at most once. Where none makes it, the failure is that of the last which this host could try: without IPv6 of its own, for one, it could
 * try none of a receiver's IPv6 addresses, which says nothing of the receiver. A failure that is of no one address (`failForAll`) comes before all.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #callback: TurnsCallback;
  /** In the order of their addresses. Each but one holds an extra socket. */
  readonly #running: Turn[] = [];
  /** After which the next comes. */
  #current: Turn | null = null;
  /** There was no room for the next when it was to be tried. */
  #waitsForRoom = false;
  #next = 0;
  /** What counts of those that have failed. */
  #failure: Failure | null = null;
  #isDecided = false;
  #cutOff = 0;

  constructor(options: TurnsOptions, callback: TurnsCallback) {
    this.#options = options;
    this.#callback = callback;
  }

  start(): void {
    this.#advance();
  }

  /** Ends all, without a call back. */
  destroy(): void {
    for (const turn of [...this.#running]) this.#end(turn);
  }

  /** Whether an address has been asked for the connection: as long as none has, it is on our side that it does not come. */
  get hasBegun(): boolean {
    return this.#running.some((turn) => turn.hasBegun);
  }

  /** What will be told of all unless one that still runs makes it: after a failure that is of no one address, and after too many handshakes cut off. */
  get decidedFailure(): Failure | null {
    return this.#isDecided ? this.#failure : null;
  }

  get isInHandshake(): boolean {
    return this.#running.some((turn) => turn.isInHandshake);
  }

  #advance(): void {
    const { destination, open } = this.#options;
    this.#current?.endShare();
    this.#waitsForRoom = false;
    if (this.#next === destination.addresses.length) {
      this.#current = null;
      return;
    }
    if (!this.#makeRoom()) {
      this.#current = this.#running.at(-1)!;
      this.#current.beginShare();
      this.#waitsForRoom = true;
      return;
    }
    const turn = new Turn(destination, destination.addresses[this.#next++]!, this.#events);
    this.#current = turn;
    this.#running.push(turn);
    turn.start(open);
  }

  /** @returns false where the next address could be tried only at the cost of a TLS handshake, which may be about to end well */
  #makeRoom(): boolean {
    const isFull = this.#running.length === MOST_AT_ONCE;
    if (this.#running.length === 0 || (!isFull && this.#options.extra.take())) return true;
    const given = this.#mostSilent ?? (isFull ? this.#running[1]! : null);
    if (given !== null) this.#giveUp(given);
    return given !== null;
  }

  /** The first keeps all the time that there is, where it can: with many addresses a share is too short for receivers that are slow at each. */
  get #mostSilent(): Turn | null {
    const isSilent = (turn: Turn) => !turn.isInHandshake;
    return this.#running.slice(1).find(isSilent) ?? this.#running.find(isSilent) ?? null;
  }

  /** Its socket becomes that of the next, an extra one or not. */
  #giveUp(turn: Turn): void {
    this.#running.splice(this.#running.indexOf(turn), 1);
    turn.end();
    if (this.#counts(SILENT)) this.#failure = SILENT;
  }

  readonly #events: TurnEvents = {
    shareMs: () => {
      const { destination, endsAt } = this.#options;
      const left = destination.addresses.length - this.#next + 1;
      if (this.#isDecided) return MIN_SHARE_MS;
      return left === 1 ? null : Math.max(MIN_SHARE_MS, (endsAt - performance.now()) / left);
    },
    shareOver: (turn) => {
      if (turn.isTaken || !this.#isDecided) this.#advance();
      else this.#events.failed(turn, SILENT, false);
    },
    failed: (turn, failure, isOfAll) => {
      this.#end(turn);
      if (turn.isInHandshake) this.#cutOff++;
      if (isOfAll || this.#counts(failure)) this.#failure = failure;
      if (isOfAll || this.#cutOff === MOST_CUT_OFF) this.#decide();
      if (turn === this.#current || this.#waitsForRoom) this.#advance();
      if (this.#running.length === 0) this.#callback(this.#failure, null);
    },
    opened: (turn, socket) => {
      this.#remove(turn);
      this.destroy();
      this.#callback(null, socket);
    },
  };

  /** No other is tried, and what nobody has taken in its share of the time is not waited for, be it the last. */
  #decide(): void {
    this.#isDecided = true;
    this.#next = this.#options.destination.addresses.length;
    for (const turn of [...this.#running]) if (turn !== this.#current && !turn.isTaken) this.#end(turn);
    this.#current?.bound();
  }

  #counts(failure: Failure): boolean {
    return !this.#isDecided && (this.#failure === null || !isUntried(failure) || isUntried(this.#failure));
  }

  #end(turn: Turn): void {
    this.#remove(turn);
    turn.end();
  }

  #remove(turn: Turn): void {
    this.#running.splice(this.#running.indexOf(turn), 1);
    if (this.#running.length > 0) this.#options.extra.giveBack();
  }
}

interface TurnEvents {
  /** What an address has; null for the last, as long as there is no failure of all. */
  shareMs(): number | null;
  shareOver(turn: Turn): void;
  /** @param isOfAll whether no other address is to be tried */
  failed(turn: Turn, failure: Failure, isOfAll: boolean): void;
  opened(turn: Turn, socket: Socket): void;
}

/** The turn of one address. What it is told once it is over counts no more. */
class Turn {
  readonly destination: Destination;
  readonly address: string;
  /** Whether the address has been asked for the connection. */
  hasBegun = false;
  /** Whether somebody has taken the connection. */
  isTaken = false;
  isInHandshake = false;
  readonly #events: TurnEvents;
  #opening: Opening | null = null;
  #share: UnhurriedTimer | null = null;
  #begunAt = 0;
  #isOver = false;

  constructor(destination: Destination, address: string, events: TurnEvents) {
    this.destination = destination;
    this.address = address;
    this.#events = events;
  }

  start(open: (turn: Turn) => Opening): void {
    this.#opening = open(this);
  }

  /** Its share of the time begins: to be called once, as soon as the address itself is asked. */
  begin(): void {
    this.hasBegun = true;
    this.#begunAt = performance.now();
    this.beginShare();
  }

  /** It has a share of the time, or another one. */
  beginShare(): void {
    const shareMs = this.#events.shareMs();
    if (shareMs !== null) this.#limit(shareMs);
  }

  /** The next is tried before it is over. */
  endShare(): void {
    this.#share?.clear();
  }

  /** Where it had all the time that there is, it has the least share from when it began. */
  bound(): void {
    if (!this.hasBegun || this.#share !== null || this.#isOver) return;
    this.#limit(Math.max(0, MIN_SHARE_MS - (performance.now() - this.#begunAt)));
  }

  #limit(ms: number): void {
    this.#share = new UnhurriedTimer(() => this.#events.shareOver(this), ms);
  }

  /** There is somebody who works at it. */
  take(): void {
    this.isTaken = true;
  }

  enterHandshake(): void {
    this.isTaken = true;
    this.isInHandshake = true;
  }

  /** This address failed, and the next may do better. */
  fail(failure: Failure): void {
    if (!this.#isOver) this.#events.failed(this, failure, false);
  }

  /** No address will do better: those that are being tried go on, and no other is. */
  failForAll(failure: Failure): void {
    if (!this.#isOver) this.#events.failed(this, failure, true);
  }

  /** The connection stands. */
  open(socket: Socket): void {
    if (this.#isOver) return;
    this.#leave();
    this.#events.opened(this, socket);
  }

  /** Ends it, without a word to anybody. */
  end(): void {
    this.#leave();
    this.#opening?.destroy();
  }

  #leave(): void {
    this.#isOver = true;
    this.#share?.clear();
  }
}

export type { Turn };

function isUntried(failure: Failure): boolean {
  return failure.kind === 'unreachable' && failure.reason === 'network';
}

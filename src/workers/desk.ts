import { Gate, type SavedGate } from '../delivery/gate.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { parseSigningKey, type SigningKey } from '../signing/signing-key.ts';
import { CLASSES, type DeliveryClass } from '../store/mailbox.ts';
import type { NumberedNotice } from '../store/notices.ts';
import type { CastBody, LoadedTarget } from '../store/targets.ts';
import { type Envelope, envelopeFor } from './envelopes.ts';
import { Flights } from './flights.ts';
import { KeyLines } from './key-lines.ts';
import { LetterQueue } from './letter-queue.ts';
import { ParkedPart } from './parked-part.ts';
import type { TenantQueue } from './send-scheduler.ts';
import { WeightedClasses } from './weighted-classes.ts';

/** The version of settings that were not read yet. */
export const VERSION_UNKNOWN = -1;
const RESETS_UNKNOWN = -1;
/** A row may come into memory so long before the rate allows its request, in ms. */
const SOON_MS = 200;

/**
 * Everything that a lane's owner knows of one endpoint: its settings, its gate, what waits for it and what is under way. It lives in memory
 * only, because an endpoint has one lane and a lane one owner.
 */
export class Desk {
  readonly num: number;
  readonly lane: number;
  /** Of the settings that were read last. Written by `load`; `EndpointDisabler` forgets it to have them read again. */
  version = VERSION_UNKNOWN;
  /** Written by `load`; `EndpointDisabler` sets `enabled` to false before the table does. */
  target: DeliveryTarget | null = null;
  keys: readonly SigningKey[] = [];
  /** Makes the body that the endpoint wants of an event's; null: sent as it is. */
  cast: CastBody | null = null;
  /** Writes the message around the body; null: the body is sent alone. Written only by `load`, as the other settings are. */
  envelope: Envelope | null = null;
  /**
   * Why nothing can be sent although the endpoint is enabled; null: it can. Written by `load`, if the secrets do not open, and by
   * `Dispatcher`, if no request can be prepared.
   */
  problem: string | null = null;
  refreshAtMs: number | null = null;
  /** Null until its settings are known. */
  gate: Gate | null = null;
  /** How often another process rewrote what is remembered of the gate, as far as is known here. */
  resets = RESETS_UNKNOWN;
  /** What its tenant is to be told of the gate when that is saved. `LaneOwner` adds to it, `GateSaver` takes from it. */
  notices: NumberedNotice[] = [];
  /** Letters that may be sent. */
  readonly waiting = new LetterQueue();
  /** Letters that are kept in order, whether they may be sent yet or not. */
  readonly lines = new KeyLines();
  readonly flights = new Flights();
  /** The queue of its tenant while it waits for its turn; else null. Written only by `SendScheduler`. */
  queuedIn: TenantQueue | null = null;
  /** When it was last asked for, in ms of `performance.now()`. Written only by `DeskList`. */
  usedAt = 0;
  /**
   * Its parked rows in the table, by class. Each class is read by itself, and waits in a queue of its own, so that none is behind all of
   * another.
   */
  readonly parked: Readonly<Record<DeliveryClass, ParkedPart>> = {
    first: new ParkedPart(),
    retry: new ParkedPart(),
    replay: new ParkedPart(),
  };
  /** Decides of which class the next row is read where slots are free for a few rows only. */
  readonly parkedClasses = new WeightedClasses();
  /** Whether so much comes that its due rows are parked without being read, and of which kind it is. Written only by `FloodParker`. */
  flood: 'plain' | 'ordered' | null = null;
  /**
   * Whether rows of it were ever parked unread: then a row that was in memory may be parked, and this process does not know. Written only
   * by `FloodParker`.
   */
  wasFlooded = false;
  /** The turn in which its backlog was last read, or first wanted; 0 before. Written only by `ParkedBacklog`, which counts turns. */
  refilledAt = 0;
  /** Rises with each row that was admitted, or skipped. Written only by `Admission`. */
  taken = 0;
  /** Rows that commits under way are to hand over. Written only by `HandOver`. */
  expected = 0;

  constructor(num: number, lane: number) {
    this.num = num;
    this.lane = lane;
  }

  get inFlight(): number {
    return this.flights.count;
  }

  /** 0 until its settings are known. */
  get tenantNum(): number {
    return this.target?.tenantNum ?? 0;
  }

  /** How it is named outside, as far as that is known. */
  get ids(): { readonly endpointId?: string; readonly tenantId?: string } {
    return this.target === null ? {} : { endpointId: this.target.id, tenantId: this.target.tenantId };
  }

  /** @param nowMs Postgres's clock */
  load(loaded: LoadedTarget, nowMs: number): void {
    if (loaded.kind === 'unusable') {
      this.version = loaded.version;
      this.problem = loaded.problem;
      return;
    }
    this.version = loaded.target.version;
    this.target = loaded.target;
    this.cast = loaded.cast ?? null;
    this.envelope = envelopeFor(loaded.target.format);
    this.problem = null;
    this.refreshAtMs = loaded.refreshAtMs;
    this.keys = loaded.target.secrets.map(parseSigningKey);
    const limits = { cap: loaded.target.maxInFlight, rate: loaded.target.rateLimit };
    const saved = loaded.gate as SavedGate | null;
    if (this.gate === null) this.gate = Gate.restore(saved, limits, nowMs);
    else if (loaded.resets === this.resets) this.gate.setLimits(limits, nowMs);
    else this.gate = this.gate.rewritten(saved, limits, nowMs);
    this.resets = loaded.resets;
  }

  /** Whether its settings must be read again: they changed, one of its secrets expired, or they could not be used. */
  isStale(newestVersion: number | undefined, nowMs: number): boolean {
    const hasExpired = this.refreshAtMs !== null && this.refreshAtMs <= nowMs;
    return (newestVersion ?? this.version) > this.version || hasExpired || this.problem !== null;
  }

  /** @param kind of which class the rows are that were parked; any without it */
  markParked(kind?: DeliveryClass): void {
    for (const each of CLASSES) if (kind === undefined || kind === each) this.parked[each].mark();
  }

  /** The table was seen to hold parked rows of it, which may be of any class. */
  foundParked(): void {
    for (const kind of CLASSES) this.parked[kind].found();
  }

  /** Whether the table holds parked rows of this endpoint. */
  get hasParked(): boolean {
    return this.parked.first.hasRows || this.parked.retry.hasRows || this.parked.replay.hasRows;
  }

  /** Whether the table holds parked rows of this class, and none of the class waits here. */
  hasOnlyParked = (kind: DeliveryClass): boolean => this.parked[kind].hasRows && this.waiting.lengthOf(kind) === 0;

  /** Whether its deliveries may be sent now. Those of a deleted endpoint are not sent either: they are cancelled on sight. */
  isOpen(nowMs: number): boolean {
    return this.isEnabled && this.gate?.closedUntilMs(nowMs) === null;
  }

  get isEnabled(): boolean {
    const { problem, target } = this;
    return problem === null && target !== null && target.enabled && !target.deleted && !target.awaitsValidation;
  }

  /** Whether its settings are still to be read for the first time. */
  get isUnknown(): boolean {
    return this.target === null && this.problem === null;
  }

  get isDeleted(): boolean {
    return this.target?.deleted === true;
  }

  /** Rows of this endpoint that are in memory, or about to come. */
  get rowsInMemory(): number {
    return this.waiting.length + this.lines.waiting + this.inFlight + this.expected;
  }

  /**
   * Whether letters have waited here for longer than this, because the endpoint takes no more or there is no slot for it.
   * @param steadyMs `performance.now()`
   * @param pgNowMs Postgres's clock
   */
  isSlow(steadyMs: number, ms: number, pgNowMs: number, hasSlot: (desk: Desk) => boolean): boolean {
    const first = this.waiting.oldest;
    return first !== undefined && steadyMs - first.admittedAt > ms && !(hasSlot(this) && this.takesNow(pgNowMs));
  }

  /** The requests that are useful under way at once: as many as it takes, or fewer if its rate allows fewer within a second. */
  get maxUsefulInFlight(): number {
    if (this.target === null) return 0;
    const { maxInFlight, rateLimit } = this.target;
    if (rateLimit === null) return maxInFlight;
    return Math.min(maxInFlight, Math.max(1, Math.ceil(rateLimit.perSecond), Math.floor(rateLimit.burst)));
  }

  /**
   * Whether reading more of the parked backlog helps now: the endpoint may send, and for some class rows are parked but none waits here. Not
   * if its rate makes it wait: those rows would only take memory and be parked again. A deleted endpoint always qualifies: its rows are only
   * cancelled.
   */
  wantsParked(nowMs: number): boolean {
    if (!CLASSES.some(this.hasOnlyParked)) return false;
    if (this.isDeleted) return true;
    if (!this.isOpen(nowMs)) return false;
    // Letters that wait here take each slot as soon as it is free: rows of another class would never find one to be read for.
    return this.waiting.length > 0 ? this.#hasTokenSoon(nowMs) : this.takesSoon(nowMs);
  }

  /** Whether one more request may be under way, whatever its rate allows. */
  hasRoom(nowMs: number): boolean {
    return this.gate !== null && this.inFlight < this.gate.allowance(nowMs);
  }

  /** How many more rows could be sent now or within a second, besides those that wait here. Negative where too many wait. */
  freeSendSlots(nowMs: number): number {
    if (!this.isOpen(nowMs) || !this.takesSoon(nowMs)) return 0;
    return Math.min(this.gate!.allowance(nowMs) - this.inFlight, this.maxUsefulInFlight) - this.waiting.length;
  }

  /** Whether a request could begin now, or within SOON_MS. */
  takesSoon(nowMs: number): boolean {
    return this.hasRoom(nowMs) && this.#hasTokenSoon(nowMs);
  }

  #hasTokenSoon(nowMs: number): boolean {
    return this.gate !== null && this.gate.tokenInMs(nowMs) <= SOON_MS;
  }

  /** Whether a request could begin now. */
  takesNow(nowMs: number): boolean {
    return this.hasRoom(nowMs) && this.gate?.tokenInMs(nowMs) === 0;
  }
}

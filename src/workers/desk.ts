import type { DeliveryTarget } from '../domain/endpoint.ts';
import { parseSigningKey, type SigningKey } from '../signing/signing-key.ts';
import type { DueDelivery, EventBody } from '../store/mailbox.ts';
import { type Cursor, START } from '../store/mailbox.ts';
import type { LoadedTarget } from '../store/targets.ts';

/** A delivery in the lane's hands, with its event. */
export interface Letter {
  readonly due: DueDelivery;
  readonly body: EventBody;
  /** When it came into memory, in ms of `performance.now()`. */
  readonly admittedAt: number;
  /** When its row was last seen in the mailbox, likewise. */
  checkedAt: number;
}

/** The version of settings that were not read yet. */
export const UNKNOWN = -1;

/**
 * Everything that a lane's owner knows of one endpoint: its settings, what waits for it and what is under way. It lives in memory
 * only, because an endpoint has one lane and a lane one owner.
 */
export class Desk {
  readonly num: number;
  readonly lane: number;
  version = UNKNOWN;
  target: DeliveryTarget | null = null;
  keys: readonly SigningKey[] = [];
  /** Why nothing can be sent although the endpoint is enabled: its secrets do not open. */
  problem: string | null = null;
  refreshAtMs: number | null = null;
  readonly waiting: Letter[] = [];
  inFlight = 0;
  /** When it was last asked for, in ms of `performance.now()`. */
  usedAt = 0;
  /** Whether the table holds parked rows of this endpoint, and where to go on reading them. */
  hasParked = false;
  parkedCursor: Cursor = START;
  /** Rises with each parking, so that a read that was under way meanwhile does not conclude that nothing is parked. */
  parkings = 0;

  constructor(num: number, lane: number) {
    this.num = num;
    this.lane = lane;
  }

  load(loaded: LoadedTarget): void {
    if (loaded.kind === 'unusable') {
      this.version = loaded.version;
      this.problem = loaded.problem;
      return;
    }
    this.version = loaded.target.version;
    this.target = loaded.target;
    this.problem = null;
    this.refreshAtMs = loaded.refreshAtMs;
    this.keys = loaded.target.secrets.map(parseSigningKey);
  }

  /** Whether its settings must be read again: they changed, one of its secrets expired, or they could not be used. */
  isStale(newestVersion: number | undefined, nowMs: number): boolean {
    const hasExpired = this.refreshAtMs !== null && this.refreshAtMs <= nowMs;
    return (newestVersion ?? this.version) > this.version || hasExpired || this.problem !== null;
  }

  /** Puts a letter in its place: what a replay queued waits behind what did not come from one. */
  enqueue(letter: Letter): void {
    const isLastReplay = this.waiting.at(-1)?.due.isReplay === true;
    if (letter.due.isReplay || !isLastReplay) this.waiting.push(letter);
    else
      this.waiting.splice(
        this.waiting.findIndex(({ due }) => due.isReplay),
        0,
        letter,
      );
  }

  markParked(): void {
    this.hasParked = true;
    this.parkedCursor = START;
    this.parkings++;
  }

  /** Whether its deliveries may be sent now. Those of a deleted endpoint are not sent either: they are cancelled on sight. */
  get isOpen(): boolean {
    return this.problem === null && this.target !== null && this.target.enabled && !this.target.deleted;
  }

  get isDeleted(): boolean {
    return this.target?.deleted === true;
  }

  /** Rows in memory that belong to this endpoint. */
  get held(): number {
    return this.waiting.length + this.inFlight;
  }

  /** Whether what waits here has waited for longer than this, because the endpoint takes no more. */
  isSlow(now: number, ms: number): boolean {
    const first = this.waiting[0];
    return first !== undefined && !this.hasRoom && now - first.admittedAt > ms;
  }

  get hasRoom(): boolean {
    return this.target !== null && this.inFlight < this.target.maxInFlight;
  }
}

import { Refusal } from '../domain/errors.ts';
import { type CommitOptions, commitUnits, type Submission } from './commit-units.ts';
import type { Unit, UnitResult } from './plan-group.ts';

export interface GroupCommitOptions extends CommitOptions {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly deadlineMs: number;
}

interface Waiting {
  readonly unit: Unit;
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (result: UnitResult) => void;
  readonly reject: (refusal: Refusal) => void;
  isExpired: boolean;
}

const GROUP_EVENTS = 1_000;
const GROUP_BYTES = 4 * 1024 * 1024;
/** One group is on its way while the next is being written. */
export const CONCURRENT_GROUPS = 2;
const TICK_MS = 50;

const unavailable = () =>
  new Refusal(
    503,
    'storage_unavailable',
    'The event could not be stored in time. Nothing was acknowledged: send it again with the same idempotency key.',
    {
      retryAfterSeconds: 1,
    },
  );

const overloaded = () =>
  new Refusal(
    503,
    'overloaded',
    'More events are waiting to be stored than this process may hold. Send it again later.',
    { retryAfterSeconds: 1 },
  );

/**
 * Requests that arrive while a commit is under way share the next one. The buffer is bounded in events and bytes, and nobody waits
 * longer than the deadline: past it the producer gets 503, whatever becomes of the commit.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Waiting[] = [];
  /** A list for each group that is under way, in a new list each time: an older one must not keep a younger group alive (as `SlotList` says of tables). */
  #committing: (readonly Waiting[])[] = [];
  #events = 0;
  #bytes = 0;
  #groups = 0;
  #scheduled = false;
  #onIdle: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#expire(), TICK_MS).unref();
  }

  /**
   * Stores the unit, or tells why not.
   * @throws Refusal 503 when the buffer is full or the commit did not come in time.
   */
  submit(unit: Unit): Promise<UnitResult> {
    const bytes = bytesOf(unit);
    const { maxEvents, maxBytes } = this.#options;
    const isFull = this.#events + unit.length > maxEvents || this.#bytes + bytes > maxBytes;
    // A unit larger than the whole buffer still passes when nothing else waits.
    if (isFull && this.#events > 0) return Promise.reject(overloaded());
    this.#events += unit.length;
    this.#bytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ unit, bytes, since: performance.now(), resolve, reject, isExpired: false });
      this.#schedule();
    });
  }

  /** Events that were submitted and whose fate is open. */
  get waitingEvents(): number {
    return this.#events;
  }

  /** Bytes of their bodies. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Waits for what was submitted; new units are still taken. */
  drain(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #schedule(): void {
    if (this.#scheduled || this.#groups >= CONCURRENT_GROUPS || this.#waiting.length === 0) return;
    this.#scheduled = true;
    // Whatever else this turn of the event loop brings joins the group.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#commitNext();
    });
  }

  async #commitNext(): Promise<void> {
    const members = this.#take();
    if (members.length === 0) {
      if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
      return;
    }
    this.#groups++;
    this.#schedule();
    this.#committing = [...this.#committing, members];
    try {
      await commitUnits(members.map(submissionOf), this.#options);
    } finally {
      this.#groups--;
      this.#committing = this.#committing.filter((others) => others !== members);
      for (const member of members) this.#forget(member);
      this.#schedule();
      if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#groups === 0;
  }

  #take(): Waiting[] {
    let events = 0;
    let bytes = 0;
    let count = 0;
    for (const { unit, bytes: size } of this.#waiting) {
      if (count > 0 && (events + unit.length > GROUP_EVENTS || bytes + size > GROUP_BYTES)) break;
      events += unit.length;
      bytes += size;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #expire(): void {
    const before = performance.now() - this.#options.deadlineMs;
    const late = this.#waiting.filter((member) => member.since < before);
    if (late.length > 0) this.#waiting = this.#waiting.filter((member) => member.since >= before);
    for (const member of late) {
      this.#forget(member);
      member.reject(unavailable());
    }
    for (const member of this.#committing.flat()) {
      if (member.since >= before) continue;
      member.isExpired = true;
      member.reject(unavailable());
    }
  }

  #forget(member: Waiting): void {
    this.#events -= member.unit.length;
    this.#bytes -= member.bytes;
  }
}

function bytesOf(unit: Unit): number {
  let bytes = 0;
  for (const { body } of unit) bytes += body.length;
  return bytes;
}

function submissionOf(member: Waiting): Submission {
  return {
    unit: member.unit,
    isExpired: () => member.isExpired,
    settle: member.resolve,
    fail: (error) => member.reject(error instanceof Refusal ? error : unavailable()),
  };
}

import { parseEventId, parseUuid } from '../../../src/domain/ids.ts';

/** What the producer knows of an event: acknowledged, refused for good, or not known (no answer, or a 503). */
export const KNOWN = { unknown: 0, ok: 1, failed: 2 } as const;

/** Answers that were no 202. */
export interface Refusals {
  readonly byStatus: Map<number, number>;
  /** `503 storage_unavailable`: how often each was the reason. */
  readonly byCode: Map<string, number>;
  /** 429 and 503 that did not say when to come again. */
  withoutRetryAfter: number;
  slowestMs: number;
}

export interface Refused {
  readonly status: number;
  readonly retryAfter: string | null;
  /** The problem's code, empty without one. */
  readonly code: string;
  readonly tookMs: number;
}

const UUID_BYTES = 16;

/**
 * The client's history: for each event that was posted what the client knows of it. Events are numbers, from 0, and a million of them
 * take some 30 MB: everything is in typed arrays.
 */
export class History {
  readonly refusals: Refusals = { byStatus: new Map(), byCode: new Map(), withoutRetryAfter: 0, slowestMs: 0 };
  /** Posts that got no answer at all. */
  unanswered = 0;
  /** Of their events, those that turned out to be stored when they were sent again: the answer was lost, not the request. */
  lostAnswers = 0;
  readonly #unanswered = new Set<number>();
  /** Answers that contradict what was answered before, such as another id for the same key. */
  readonly contradictions: string[] = [];
  acknowledged = 0;
  #count = 0;
  #known = new Uint8Array(1024);
  #routes = new Uint16Array(1024);
  #subjects = new Uint32Array(1024);
  #ids = Buffer.alloc(1024 * UUID_BYTES);

  get count(): number {
    return this.#count;
  }

  /** @param subject 0 for none. @returns the event's number. */
  add(route: number, subject = 0): number {
    if (this.#count === this.#known.length) this.#grow();
    this.#routes[this.#count] = route;
    this.#subjects[this.#count] = subject;
    return this.#count++;
  }

  noAnswer(events: readonly number[]): void {
    this.unanswered++;
    for (const event of events) this.#unanswered.add(event);
  }

  /** The event was acknowledged under this id, which has to be one that the service made. */
  accept(event: number, id: string, isDuplicate = false): void {
    if (this.#unanswered.delete(event) && isDuplicate) this.lostAnswers++;
    const uuid = parseEventId(id);
    if (uuid === null) {
      this.contradictions.push(`event ${event} was accepted as ${id}, which is no id of ours`);
      return;
    }
    const bytes = parseUuid(uuid);
    if (this.#known[event] === KNOWN.ok) {
      if (!this.idOf(event)!.equals(bytes))
        this.contradictions.push(`event ${event} was first ${this.idOf(event)!.toString('hex')} and then ${uuid}`);
      return;
    }
    this.#known[event] = KNOWN.ok;
    bytes.copy(this.#ids, event * UUID_BYTES);
    this.acknowledged++;
  }

  refuse(event: number, { status, retryAfter, code, tookMs }: Refused): void {
    const { refusals } = this;
    refusals.byStatus.set(status, (refusals.byStatus.get(status) ?? 0) + 1);
    const reason = `${status} ${code}`;
    refusals.byCode.set(reason, (refusals.byCode.get(reason) ?? 0) + 1);
    refusals.slowestMs = Math.max(refusals.slowestMs, tookMs);
    const isPassing = status === 503 || status === 429;
    if (isPassing && !(Number(retryAfter) >= 1)) refusals.withoutRetryAfter++;
    if (status < 500 && !isPassing && this.#known[event] === KNOWN.unknown) this.#known[event] = KNOWN.failed;
  }

  known(event: number): number {
    return this.#known[event]!;
  }

  routeOf(event: number): number {
    return this.#routes[event]!;
  }

  subjectOf(event: number): number {
    return this.#subjects[event]!;
  }

  /** The sixteen bytes of the acknowledged event's id; null when it was not acknowledged. */
  idOf(event: number): Buffer | null {
    if (this.#known[event] !== KNOWN.ok) return null;
    return this.#ids.subarray(event * UUID_BYTES, (event + 1) * UUID_BYTES);
  }

  countOf(known: number): number {
    let count = 0;
    for (let event = 0; event < this.#count; event++) if (this.#known[event] === known) count++;
    return count;
  }

  #grow(): void {
    const size = this.#known.length * 2;
    this.#known = copyInto(new Uint8Array(size), this.#known);
    this.#routes = copyInto(new Uint16Array(size), this.#routes);
    this.#subjects = copyInto(new Uint32Array(size), this.#subjects);
    this.#ids = copyInto(Buffer.alloc(size * UUID_BYTES), this.#ids);
  }
}

function copyInto<T extends { set(from: ArrayLike<number>): void }>(to: T, from: ArrayLike<number>): T {
  to.set(from);
  return to;
}

import { eventIdOf, formatUuid } from '../../../src/domain/ids.ts';
import { DECISION } from '../../../src/store/codes.ts';
import type { AttemptFact, EventFact, WaitingFact } from './database-facts.ts';
import { type History, KNOWN } from './history.ts';
import type { AnswerRecord, LedgerRecord, RequestRecord } from './ledger-writer.ts';
import { Problems } from './problems.ts';
import type { Route } from './routes.ts';
import { Slots } from './slots.ts';

const ENDS: readonly number[] = [DECISION.done, DECISION.deadLetter, DECISION.cancel];
const MOST = 255;

/** A request that has no answer yet. */
interface Open {
  readonly slot: number;
  readonly event: number;
  readonly endpoint: number;
}

/**
 * Brings together what client, receiver and database say of every delivery. Some bytes for each delivery and event, so that a million
 * of them are no burden.
 */
export class Tally {
  readonly problems = new Problems();
  readonly slots: Slots;
  requests = 0;
  attempts = 0;
  storedEvents = 0;
  /** 2xx answers beyond the first of a delivery. */
  duplicates = 0;
  /** Requests that repeat an attempt that the receiver had already: their first was interrupted. */
  repeated = 0;
  /** Attempts that the receiver had and the database does not know. */
  unrecorded = 0;
  /** Of each endpoint of the play, deliveries that the database calls delivered. */
  readonly doneByEndpoint: number[] = [];
  readonly #history: History;
  readonly #good: Uint8Array;
  readonly #ends: Uint8Array;
  readonly #done: Uint8Array;
  readonly #isWaiting: Uint8Array;
  /** Bit n: attempt n + 1 was received; answered or written. Attempts past 32 share the last bit. */
  readonly #received: Uint32Array;
  readonly #written: Uint32Array;
  readonly #answeredInDatabase: Uint32Array;
  readonly #hash: Uint32Array;
  readonly #stored: Uint8Array;
  readonly #open = new Map<number, Open>();
  /** Deliveries whose request has no answer to this moment, so that there is nothing to record yet. */
  #underWay: ReadonlySet<number> = new Set();
  readonly #lastOfSubject = new Map<number, number>();

  constructor(history: History, routes: readonly Route[]) {
    this.#history = history;
    this.slots = new Slots(history, routes);
    const { size } = this.slots;
    this.#good = new Uint8Array(size);
    this.#ends = new Uint8Array(size);
    this.#done = new Uint8Array(size);
    this.#isWaiting = new Uint8Array(size);
    this.#received = new Uint32Array(size);
    this.#written = new Uint32Array(size);
    this.#answeredInDatabase = new Uint32Array(size);
    this.#hash = new Uint32Array(size);
    this.#stored = new Uint8Array(history.count);
  }

  ledger(record: LedgerRecord): void {
    if (record.kind === 'answer') this.#answer(record);
    else if (record.event >= 0) this.#request(record);
  }

  stored({ event, id }: EventFact): void {
    this.storedEvents++;
    const uuid = formatUuid(id);
    if (event < 0 || event >= this.#history.count) {
      this.problems.add(PROBLEM.stranger, uuid);
      return;
    }
    if (this.#stored[event]! > 0) this.problems.add(PROBLEM.storedTwice, `event ${event}`);
    this.#stored[event] = 1;
    const known = this.#history.idOf(event);
    if (known !== null && !known.equals(id)) this.problems.add(PROBLEM.otherId, `event ${event} as ${uuid}`);
    if (this.#history.known(event) === KNOWN.failed) this.problems.add(PROBLEM.refusedStored, `event ${event}`);
  }

  attempted({ event, endpoint, attempt, decision, status }: AttemptFact): void {
    this.attempts++;
    const slot = this.slots.find(event, endpoint);
    if (slot < 0) {
      this.problems.add(PROBLEM.notForIt, `event ${event} to endpoint ${endpoint}, in the database`);
      return;
    }
    const bit = bitOf(attempt);
    this.#written[slot]! |= bit;
    if (status !== null) this.#answeredInDatabase[slot]! |= bit;
    if (ENDS.includes(decision)) this.#ends[slot] = Math.min(MOST, this.#ends[slot]! + 1);
    if (decision !== DECISION.done) return;
    this.#done[slot] = 1;
    this.doneByEndpoint[endpoint] = (this.doneByEndpoint[endpoint] ?? 0) + 1;
  }

  waiting({ event, endpoint }: WaitingFact): void {
    const slot = this.slots.find(event, endpoint);
    if (slot < 0) {
      this.problems.add(PROBLEM.notForIt, `event ${event} to endpoint ${endpoint}, waiting`);
      return;
    }
    this.#isWaiting[slot] = 1;
  }

  /** Compares the witnesses, once everything was told. */
  compare(leniency: Leniency): void {
    this.#underWay = new Set([...this.#open.values()].map(({ slot }) => slot));
    for (let event = 0; event < this.#history.count; event++) {
      const isAcknowledged = this.#history.known(event) === KNOWN.ok;
      const isStored = this.#stored[event] === 1;
      if (isAcknowledged && !isStored) this.problems.add(PROBLEM.notStored, `event ${event}`);
      for (const endpoint of this.slots.endpointsOf(event)) {
        const slot = this.slots.find(event, endpoint);
        const delivery = { slot, endpoint, name: `event ${event} to endpoint ${endpoint}` };
        this.#compareRecords(delivery);
        if (isStored || isAcknowledged) this.#compareEnd(delivery, isAcknowledged, leniency);
      }
    }
  }

  #compareEnd({ slot, endpoint, name }: Delivery, isAcknowledged: boolean, leniency: Leniency): void {
    const [ends, isWaiting, good] = [this.#ends[slot]!, this.#isWaiting[slot] === 1, this.#good[slot]!];
    const isLeft = isWaiting && leniency.mayWait(endpoint);
    const isMissed = ends === 0 && !isWaiting && good === 0 && leniency.mayMiss(endpoint);
    if (isMissed) return;
    if (ends === 0 && !isWaiting) this.problems.add(PROBLEM.noDelivery, name);
    if (ends > 1 && !leniency.endsOften) this.problems.add(PROBLEM.endsTwice, name);
    if (ends > 0 && isWaiting && !leniency.endsOften) this.problems.add(PROBLEM.endedAndWaits, name);
    if (isWaiting && !isLeft) this.problems.add(PROBLEM.stillWaiting, name);
    const isOver = good > 0 || (ends > 0 && this.#done[slot] === 0);
    // What waits is late, and said to be so; lost is what nobody will send any more.
    if (isAcknowledged && !isOver && !isWaiting) this.problems.add(PROBLEM.lost, name);
    if (this.#done[slot] === 1 && good === 0) this.problems.add(PROBLEM.falseDelivered, name);
  }

  #compareRecords({ slot, name }: Delivery): void {
    const invented = this.#answeredInDatabase[slot]! & ~this.#received[slot]!;
    if (invented !== 0) this.problems.add(PROBLEM.invented, name);
    if (!this.#underWay.has(slot)) this.unrecorded += bits(this.#received[slot]! & ~this.#written[slot]!);
  }

  #request({ request, endpoint, event, webhookId, attempt, isVerified, isOwn, bodyHash }: RequestRecord): void {
    this.requests++;
    const name = `event ${event} to endpoint ${endpoint}`;
    if (!isVerified) this.problems.add(PROBLEM.forged, `${name}, attempt ${attempt}`);
    const slot = this.slots.find(event, endpoint);
    if (!isOwn) this.problems.add(PROBLEM.otherTenant, name);
    if (slot < 0) {
      this.problems.add(PROBLEM.notForIt, `${name}, at the receiver`);
      return;
    }
    const id = this.#history.idOf(event);
    if (id !== null && eventIdOf(formatUuid(id)) !== webhookId) this.problems.add(PROBLEM.otherWebhookId, name);
    const bit = bitOf(attempt);
    if ((this.#received[slot]! & bit) !== 0) this.repeated++;
    if (this.#received[slot] === 0) this.#hash[slot] = bodyHash;
    else if (this.#hash[slot] !== bodyHash) this.problems.add(PROBLEM.otherBody, name);
    this.#received[slot]! |= bit;
    this.#open.set(request, { slot, event, endpoint });
  }

  #answer({ request, status }: AnswerRecord): void {
    const open = this.#open.get(request);
    this.#open.delete(request);
    if (open === undefined || status < 200 || status > 299) return;
    if (this.#good[open.slot]! > 0) this.duplicates++;
    else this.#firstGood(open);
    this.#good[open.slot] = Math.min(MOST, this.#good[open.slot]! + 1);
  }

  /** Events of a subject are posted one after the other, so that their numbers are the order in which they were accepted. */
  #firstGood({ event, endpoint }: Open): void {
    const subject = this.#history.subjectOf(event);
    if (subject === 0) return;
    const key = subject * 65_536 + endpoint;
    const last = this.#lastOfSubject.get(key) ?? -1;
    if (event < last)
      this.problems.add(PROBLEM.inverted, `event ${event} after ${last} of subject ${subject}, endpoint ${endpoint}`);
    this.#lastOfSubject.set(key, Math.max(event, last));
  }
}

/** What a scenario means to leave undone. */
export interface Leniency {
  /** Whether deliveries of an endpoint may be left waiting. */
  readonly mayWait: (endpoint: number) => boolean;
  /** Whether events may have no delivery for an endpoint, because it was disabled or deleted meanwhile. */
  readonly mayMiss: (endpoint: number) => boolean;
  /** Whether deliveries may end more than once, as replays make them. */
  readonly endsOften: boolean;
}

interface Delivery {
  readonly slot: number;
  readonly endpoint: number;
  readonly name: string;
}

export const PROBLEM = {
  notStored: 'acknowledged and not stored',
  storedTwice: 'stored more than once',
  otherId: 'stored under another id than the acknowledged one',
  refusedStored: 'refused and stored all the same',
  stranger: 'stored that nobody posted',
  notForIt: 'at an endpoint that they are not for',
  noDelivery: 'deliveries that neither ended nor wait',
  endsTwice: 'deliveries that ended more than once',
  endedAndWaits: 'deliveries that ended and wait all the same',
  stillWaiting: 'deliveries that still wait',
  lost: 'deliveries lost',
  falseDelivered: 'called delivered without a 2xx',
  invented: 'attempts with an answer on record that the receiver never had',
  forged: 'requests whose signature does not verify',
  otherTenant: 'requests with the event of another tenant',
  otherWebhookId: 'requests with another webhook-id than the acknowledged id',
  otherBody: 'repeated with another body',
  inverted: 'received out of order',
} as const;

function bitOf(attempt: number): number {
  return 1 << Math.min(Math.max(attempt, 1) - 1, 31);
}

function bits(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}

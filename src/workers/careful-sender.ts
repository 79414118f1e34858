import type { PreparedRequest } from '../delivery/prepare.ts';
import type { Abandonable, Sender } from '../delivery/sender.ts';
import type { Outcome } from '../domain/outcome.ts';
import { CAREFUL_FROM, mayTry, type Suspect, trialMs } from '../domain/suspicion.ts';
import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { AcquiredLane } from '../store/lanes.ts';
import type { StruckDelivery, TriedDelivery } from '../store/suspects.ts';
import type { LaneStore } from './lane-store.ts';
import { keyOf } from './rows-in-memory.ts';

export interface CarefulSenderOptions {
  readonly sender: Sender;
  readonly store: Pick<LaneStore, 'reviewSuspects' | 'putOnTrial' | 'clearSuspects'>;
  /** A delivery was set aside. */
  readonly onSetAside: (delivery: StruckDelivery) => void;
  readonly onFailure: (what: string, error: unknown) => void;
}

/**
 * Makes the request of a delivery on trial. Null: none is to be made, the function has seen to the delivery, and no outcome is reported.
 * `isRecorded`: whether the trial was written to the table just now.
 */
type MakeRequest = (isRecorded: boolean) => PreparedRequest | null;

/** A delivery of a careful lane, from `tryOut` to the end of its trial. */
interface Trial extends Suspect, TriedDelivery {
  readonly make: MakeRequest;
  readonly onOutcome: (outcome: Outcome) => void;
  /** The request once it was sent; null before. */
  sent: Abandonable | null;
  isAbandoned: boolean;
}

interface CarefulLane {
  readonly lease: AcquiredLane;
  /** Strikes by delivery, of those that have some. */
  readonly strikes: Map<string, number>;
}

const PAUSE_AFTER_FAILURE_MS = 200;

/**
 * Sends for lanes whose owners keep dying: each delivery waits until its trial is recorded in the table, a few of a lane at a
 * time (src/domain/suspicion.ts). Only then is its request made. Deliveries of other lanes pass straight through. To the caller, a delivery
 * that waits here is under way.
 */
export class CarefulSender implements Sender {
  readonly #options: CarefulSenderOptions;
  readonly #lanes = new Map<number, CarefulLane>();
  #waiting: Trial[] = [];
  readonly #running = new Map<string, Trial>();
  /** Trials that ended well, which is not in the table yet. */
  #cleared: Trial[] = [];
  #isRecording = false;
  #isClearing = false;
  #isStopped = false;

  constructor(options: CarefulSenderOptions) {
    this.#options = options;
  }

  /** Reviews lanes that were taken just now, before anything of them is sent. */
  async review(lanes: readonly AcquiredLane[]): Promise<void> {
    const crashed = lanes.filter(({ crashes }) => crashes > 0);
    if (crashed.length === 0) return;
    const { suspects, setAside } = await this.#options.store.reviewSuspects(crashed);
    for (const delivery of setAside) this.#options.onSetAside(delivery);
    for (const lease of crashed) {
      if (lease.crashes < CAREFUL_FROM) continue;
      const ofLane = suspects.filter(({ lane }) => lane === lease.lane);
      const strikes = new Map(ofLane.map((suspect) => [keyOf(suspect), suspect.strikes]));
      this.#lanes.set(lease.lane, { lease, strikes });
    }
  }

  isCareful(lane: number): boolean {
    return this.#lanes.has(lane);
  }

  /**
   * The lane proved harmless, or is no longer this process's. What waits here goes back to its desk unrecorded and unsent (`make(false)`); the
   * desk sends it in its turn if it still may.
   */
  forget(lane: number): void {
    if (!this.#lanes.delete(lane)) return;
    const going = this.#waiting.filter((trial) => trial.lane === lane);
    this.#waiting = this.#waiting.filter((trial) => trial.lane !== lane);
    for (const [key, trial] of this.#running) if (trial.lane === lane) this.#running.delete(key);
    for (const trial of going) this.#pass(trial, false);
    this.#beginTrials();
  }

  send(request: PreparedRequest, onOutcome: (outcome: Outcome) => void): Abandonable {
    return this.#options.sender.send(request, onOutcome);
  }

  /** The same for a delivery of a careful lane, whose request is made once its trial is recorded. */
  tryOut(
    { eventUuid, endpointNum, lane, attempt }: TriedDelivery,
    make: MakeRequest,
    onOutcome: (outcome: Outcome) => void,
  ): Abandonable {
    const delivery = { eventUuid, endpointNum, lane, attempt };
    const strikes = this.#lanes.get(lane)?.strikes.get(keyOf(delivery)) ?? 0;
    const trial: Trial = { ...delivery, strikes, make, onOutcome, sent: null, isAbandoned: false };
    this.#waiting.push(trial);
    this.#beginTrials();
    return { abandon: () => this.#abandon(trial) };
  }

  #abandon(trial: Trial): void {
    trial.isAbandoned = true;
    trial.sent?.abandon();
    this.#waiting = this.#waiting.filter((other) => other !== trial);
    if (this.#running.get(keyOf(trial)) === trial) this.#running.delete(keyOf(trial));
  }

  #pass(trial: Trial, isRecorded: boolean): void {
    if (trial.isAbandoned) return;
    const request = trial.make(isRecorded);
    if (request === null) this.#clear(keyOf(trial));
    else trial.sent = this.#options.sender.send(request, trial.onOutcome);
  }

  /** The outcome of an attempt is written. Whatever it was, the delivery has killed no worker. */
  settled(delivery: DeliveryKey): void {
    if (this.#lanes.size > 0) this.#clear(keyOf(delivery));
  }

  abortAll(): number {
    this.#isStopped = true;
    const waiting = this.#waiting.length;
    this.#waiting = [];
    return waiting + this.#options.sender.abortAll();
  }

  close(): Promise<void> {
    return this.#options.sender.close();
  }

  get inFlight(): number {
    return this.#waiting.length + this.#options.sender.inFlight;
  }

  /** Begins as many trials as may be under way. */
  #beginTrials(): void {
    if (!this.#isRecording && !this.#isStopped && this.#waiting.length > 0) void this.#recordAll();
  }

  async #recordAll(): Promise<void> {
    this.#isRecording = true;
    for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
      try {
        await this.#try(batch);
      } catch (error) {
        this.#options.onFailure('noting of deliveries before they are sent', error);
        this.#giveBack(batch);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
      }
    }
    this.#isRecording = false;
  }

  #nextBatch(): Trial[] {
    const batch: Trial[] = [];
    if (this.#isStopped) return batch;
    this.#waiting = this.#waiting.filter((trial) => {
      if (!mayTry(trial, this.#running.values())) return true;
      this.#running.set(keyOf(trial), trial);
      batch.push(trial);
      return false;
    });
    return batch;
  }

  async #try(batch: readonly Trial[]): Promise<void> {
    const gone = new Set((await this.#options.store.putOnTrial(this.#leases(), batch)).map(keyOf));
    if (this.#isStopped) return;
    for (const trial of batch) {
      const key = keyOf(trial);
      const careful = this.#lanes.get(trial.lane);
      if (careful !== undefined) this.#clearLater(trial, trialMs(careful.lease.crashes));
      // This outcome is settled like every other, and changes nothing: the row is gone.
      if (gone.has(key))
        queueMicrotask(() => trial.isAbandoned || trial.onOutcome({ kind: 'skipped', reason: 'withdrawn' }));
      else this.#pass(trial, true);
    }
  }

  #clearLater(trial: Trial, ms: number): void {
    const key = keyOf(trial);
    const timer = setTimeout(() => this.#running.get(key) === trial && this.#clear(key), ms);
    timer.unref?.();
  }

  /** Has trials that could not be recorded wait again. Those of lanes that were forgotten meanwhile go back to their desks, unsent. */
  #giveBack(batch: readonly Trial[]): void {
    for (const trial of batch) {
      if (this.#running.delete(keyOf(trial))) this.#waiting.unshift(trial);
      else this.#pass(trial, false);
    }
  }

  #clear(key: string): void {
    const trial = this.#running.get(key);
    if (trial === undefined) return;
    this.#running.delete(key);
    this.#lanes.get(trial.lane)?.strikes.delete(key);
    this.#cleared.push(trial);
    if (!this.#isClearing) void this.#writeCleared();
    this.#beginTrials();
  }

  /** If a trial stays in the table, its delivery gets a strike too many if the owner dies: no harm. */
  async #writeCleared(): Promise<void> {
    this.#isClearing = true;
    while (this.#cleared.length > 0) {
      const batch = this.#cleared;
      this.#cleared = [];
      await this.#options.store
        .clearSuspects(this.#leases(), batch)
        .catch((error: unknown) => this.#options.onFailure('clearing of suspects', error));
    }
    this.#isClearing = false;
  }

  #leases(): AcquiredLane[] {
    return [...this.#lanes.values()].map(({ lease }) => lease);
  }
}

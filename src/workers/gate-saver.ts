import type { EndpointState } from '../store/endpoint-states.ts';
import type { LaneLease } from '../store/lanes.ts';
import type { Desk } from './desk.ts';

export interface GateSaverOptions {
  readonly save: (leases: readonly LaneLease[], states: readonly EndpointState[]) => Promise<void>;
  /** The lease that this process has for a lane now; undefined when it lost it. */
  readonly leaseOf: (lane: number) => LaneLease | undefined;
  /** Postgres's clock. */
  readonly nowMs: () => number;
}

/** Endpoints in one statement. */
const MAX_BATCH = 1_000;

/** Writes down what the gates have learnt, so that the next owner of their lanes goes on from there. One statement at a time. */
export class GateSaver {
  readonly #options: GateSaverOptions;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: GateSaverOptions) {
    this.#options = options;
  }

  /**
   * Saves those of the desks' gates that have changed since they were saved.
   * @throws what the statement throws; then they are still unsaved
   */
  save(desks: Iterable<Desk>): Promise<void> {
    const saved = this.#saving.then(() => this.#saveNow(desks));
    this.#saving = saved.catch(() => {});
    return saved;
  }

  async #saveNow(desks: Iterable<Desk>): Promise<void> {
    const dirty = [...desks].filter((desk) => desk.gate?.isDirty === true);
    for (let start = 0; start < dirty.length; start += MAX_BATCH)
      await this.#saveBatch(dirty.slice(start, start + MAX_BATCH));
  }

  async #saveBatch(desks: readonly Desk[]): Promise<void> {
    const leases = new Map<number, LaneLease>();
    for (const { lane } of desks) {
      const lease = this.#options.leaseOf(lane);
      if (lease !== undefined) leases.set(lane, lease);
    }
    const ours = desks.filter((desk) => leases.has(desk.lane));
    if (ours.length === 0) return;
    const nowMs = this.#options.nowMs();
    const states = ours.map((desk) => stateOf(desk, nowMs));
    for (const desk of ours) {
      desk.gate!.markSaved();
      desk.notices = [];
    }
    try {
      await this.#options.save([...leases.values()], states);
    } catch (error) {
      for (const [i, desk] of ours.entries()) {
        desk.gate!.markUnsaved();
        desk.notices.unshift(...states[i]!.notices);
      }
      throw error;
    }
  }
}

function stateOf({ num, lane, gate, resets, notices }: Desk, nowMs: number): EndpointState {
  return {
    notices,
    endpointNum: num,
    lane,
    gate: gate!.save(nowMs),
    closedUntilMs: gate!.closedUntilMs(nowMs),
    resets,
  };
}

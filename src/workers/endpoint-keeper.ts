import type { LaneLease } from '../store/lanes.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import { GateSaver } from './gate-saver.ts';
import type { LaneStore } from './lane-store.ts';

export interface EndpointKeeperOptions {
  readonly store: Pick<LaneStore, 'saveEndpointStates' | 'targetVersions'>;
  readonly desks: Desks;
  /** The lease that this process has for a lane now; undefined when it lost it. */
  readonly leaseOf: (lane: number) => LaneLease | undefined;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** Keeps what is known of endpoints and what the table says of them alike: settings come in, gates go out. */
export class EndpointKeeper {
  readonly #options: EndpointKeeperOptions;
  readonly #gates: GateSaver;

  constructor(options: EndpointKeeperOptions) {
    const { store, leaseOf, nowMs } = options;
    this.#options = options;
    this.#gates = new GateSaver({ save: (leases, states) => store.saveEndpointStates(leases, states), leaseOf, nowMs });
  }

  /** Saves gates that have changed. What is not saved is only remembered less exactly by whoever comes next: that holds up nothing. */
  async saveGates(isWanted: (desk: Desk) => boolean = () => true): Promise<void> {
    const desks = [...this.#options.desks.list].filter(isWanted);
    await this.#gates
      .save(desks)
      .catch((error: unknown) => this.#options.onFailure('saving of endpoint states', error));
  }

  /** Saves those that should not wait for the next refresh. */
  saveUrgentGates(): void {
    if (this.#options.desks.takeUrgency()) void this.saveGates(({ gate }) => gate?.isUrgent === true);
  }

  /** Ends what time ends, saves all gates, reads settings that have changed, and forgets endpoints that have nothing to send. */
  async refresh(): Promise<void> {
    this.#options.desks.passTime();
    await this.saveGates();
    const { store, desks, nowMs, onFailure } = this.#options;
    try {
      const versions = await store.targetVersions([...desks.list].map((desk) => desk.num));
      const now = nowMs();
      await desks.loadTargets([...desks.list].filter((desk) => desk.isStale(versions.get(desk.num), now)));
      desks.list.forgetIdle();
    } catch (error) {
      onFailure('refresh of endpoints', error);
    }
  }
}

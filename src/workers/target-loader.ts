import type { LoadedTarget } from '../store/targets.ts';
import type { Desk } from './desk.ts';
import type { DeskClearer } from './desk-clearer.ts';
import type { DeskEvents, DeskStore } from './desks-options.ts';
import type { Dispatcher } from './dispatcher.ts';

export interface TargetLoaderOptions {
  readonly loadTargets: DeskStore['loadTargets'];
  readonly onFailure: DeskEvents['onFailure'];
  readonly clearer: Pick<DeskClearer, 'shelve'>;
  readonly dispatcher: Pick<Dispatcher, 'reconsider' | 'run'>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** Asks for a round: there are parked rows to read. */
  readonly requestRound: () => void;
}

/** Reads the settings of endpoints, and closes or opens their desks accordingly. */
export class TargetLoader {
  readonly #options: TargetLoaderOptions;

  constructor(options: TargetLoaderOptions) {
    this.#options = options;
  }

  async load(desks: readonly Desk[]): Promise<void> {
    const { loadTargets, onFailure, dispatcher } = this.#options;
    if (desks.length === 0) return;
    const targets = await loadTargets(desks.map((desk) => desk.num));
    for (const desk of desks) {
      const loaded = targets.get(desk.num);
      if (loaded === undefined) continue;
      if (loaded.kind === 'unusable' && desk.problem === null)
        onFailure('endpoint', new Error(loaded.problem), { endpointId: loaded.id, tenantId: loaded.tenantId });
      this.#apply(desk, loaded);
    }
    dispatcher.run();
  }

  #apply(desk: Desk, loaded: LoadedTarget): void {
    const { clearer, dispatcher, requestRound } = this.#options;
    const nowMs = this.#options.nowMs();
    desk.load(loaded, nowMs);
    const isOpen = desk.isOpen(nowMs);
    if (!isOpen && desk.waiting.length > 0) clearer.shelve(desk);
    if (isOpen && desk.hasParked) requestRound();
    // Its limits may have changed.
    dispatcher.reconsider(desk);
  }
}

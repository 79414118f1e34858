import type { DueDelivery } from '../store/mailbox.ts';
import type { Lane } from './lane.ts';

/** A delivery, as the mailbox tells them apart. */
export interface DeliveryKey {
  readonly eventUuid: string;
  readonly endpointNum: number;
}

/** The rows that a process has in memory, each with the lane that it was fetched under. */
export class HeldRows {
  readonly #lanes = new Map<string, Lane>();
  /** Rows let go since the last read began. */
  readonly #letGoMeanwhile = new Set<string>();

  get size(): number {
    return this.#lanes.size;
  }

  has(row: DeliveryKey): boolean {
    return this.#lanes.has(keyOf(row));
  }

  add(row: DeliveryKey, lane: Lane): void {
    this.#lanes.set(keyOf(row), lane);
    lane.held++;
  }

  /** @returns the lane that the row was fetched under; undefined when it is not held (any more). */
  letGo(row: DeliveryKey): Lane | undefined {
    const key = keyOf(row);
    const lane = this.#lanes.get(key);
    if (lane === undefined) return undefined;
    this.#lanes.delete(key);
    this.#letGoMeanwhile.add(key);
    lane.held--;
    return lane;
  }

  /**
   * Reads rows and tells which of them are new here. A row that was settled while the statement was under way may still be in what it
   * saw: taking it for new would deliver it twice. One read at a time.
   */
  async read(
    fetch: () => Promise<DueDelivery[]>,
  ): Promise<{ readonly rows: DueDelivery[]; readonly fresh: DueDelivery[] }> {
    this.#letGoMeanwhile.clear();
    const rows = await fetch();
    const fresh = rows.filter((row) => {
      const key = keyOf(row);
      return !this.#lanes.has(key) && !this.#letGoMeanwhile.has(key);
    });
    return { rows, fresh };
  }
}

export function keyOf({ eventUuid, endpointNum }: DeliveryKey): string {
  return `${eventUuid}${endpointNum}`;
}

import type { DueDelivery } from '../store/mailbox.ts';
import type { OrderKey } from '../store/order.ts';
import type { DeliveryKey } from './held-rows.ts';

/** What a process has decided about rows and not yet said to the table. The caller of a `take` takes over what it returns. */
export class SetAside {
  #parked: DueDelivery[] = [];
  #behind: DueDelivery[] = [];
  #asked = new Map<string, OrderKey>();

  get isEmpty(): boolean {
    return this.#parked.length + this.#behind.length + this.#asked.size === 0;
  }

  /** Their endpoint cannot take them now. Those that were read from its parked backlog are there still. */
  park(rows: readonly DueDelivery[]): void {
    for (const row of rows) if (!row.isParked) this.#parked.push(row);
  }

  /** They stand behind others of their key. */
  setBehind(rows: readonly DueDelivery[]): void {
    for (const row of rows) this.#behind.push(row);
  }

  /** The table must be asked who is next of this key. */
  ask(endpointNum: number, key: number): void {
    this.#asked.set(`${endpointNum}/${key}`, { endpointNum, key });
  }

  /** @param isHeld whether a row has come back into memory meanwhile: then it stays there */
  takeParked(isHeld: (row: DeliveryKey) => boolean): DueDelivery[] {
    const rows = this.#parked.filter((row) => !isHeld(row));
    this.#parked = [];
    return rows;
  }

  takeBehind(isHeld: (row: DeliveryKey) => boolean): DueDelivery[] {
    const rows = this.#behind.filter((row) => !isHeld(row));
    this.#behind = [];
    return rows;
  }

  takeAsked(): OrderKey[] {
    const keys = [...this.#asked.values()];
    this.#asked.clear();
    return keys;
  }
}

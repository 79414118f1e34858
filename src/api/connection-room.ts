import type { ClientConnection } from './client-connection.ts';
import { SlotList } from './slot-list.ts';

/** How many are looked at to find one that can go. */
const MAX_LOOKED_AT = 64;

/**
 * The open connections of a process, and the room for them: each takes memory from its first byte on, before anybody is asked for a key. Where there is none left a new one
 * takes that of one on which nothing is under way, each in its turn: whoever holds many open shuts nobody out. Where those looked at are all at work it is the new one that goes.
 */
export class ConnectionRoom {
  readonly #max: number;
  readonly #connections = new SlotList<ClientConnection>();
  #open = 0;
  #cut = 0;
  #hand = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get open(): number {
    return this.#open;
  }

  /** Connections that were closed for want of room. */
  get cut(): number {
    return this.#cut;
  }

  add(connection: ClientConnection): void {
    if (this.#open >= this.#max) this.#cutOne(connection);
    const slot = this.#connections.add(connection);
    this.#open++;
    connection.socket.once('close', () => {
      this.#connections.remove(slot);
      this.#open--;
    });
  }

  [Symbol.iterator](): Iterator<ClientConnection> {
    return this.#connections[Symbol.iterator]();
  }

  #cutOne(newest: ClientConnection): void {
    this.#cut++;
    for (let i = 0; i < MAX_LOOKED_AT; i++) {
      const connection = this.#connections.at(this.#hand++);
      if (this.#hand >= this.#connections.slots) this.#hand = 0;
      if (connection?.isIdle !== true) continue;
      connection.socket.destroy();
      return;
    }
    newest.socket.destroy();
  }
}

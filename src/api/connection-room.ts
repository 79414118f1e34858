import { CLAIMS, type ClientConnection } from './client-connection.ts';
import { SlotList } from './slot-list.ts';

/** How many are looked at to find one that can go. */
const MAX_LOOKED_AT = 64;

/**
 * The open connections of a process, and the room for them: each takes memory from its first byte on, before anybody is asked for a key. Where there is none left a new one
 * takes that of one on which nothing is under way, or whose client reads no answer, each in its turn; then of one whose client has stopped in the midst of a body; then of one that is answered, and has
 * yet to send it all; then of one whose body has not come in full, that which began the longest ago first: whoever holds many open shuts nobody out. Where all those looked at are worked for it is the
 * new one that goes.
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
    let readiest: ClientConnection | null = null;
    let rank = CLAIMS.indexOf('at_work');
    for (let i = 0; i < MAX_LOOKED_AT && rank > 0; i++) {
      const connection = this.#next();
      if (connection === null || connection.socket.destroyed) continue;
      const own = CLAIMS.indexOf(connection.claim);
      const isOlder = readiest !== null && own === rank && connection.begunAt < readiest.begunAt;
      if (own >= rank && !isOlder) continue;
      readiest = connection;
      rank = own;
    }
    (readiest ?? newest).socket.destroy();
  }

  #next(): ClientConnection | null {
    const connection = this.#connections.at(this.#hand++);
    if (this.#hand >= this.#connections.slots) this.#hand = 0;
    return connection;
  }
}

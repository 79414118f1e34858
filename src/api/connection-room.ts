import { CLAIMS, type ClientConnection } from './client-connection.ts';
import { SlotList } from './slot-list.ts';

/** How many connections are looked at to find one that can be closed. */
const MAX_LOOKED_AT = 64;

/**
 * The open connections of a process, and the room for them: each takes memory from its first byte on, before anybody has shown a key. If
 * there is no room for a new connection, an old one is closed. The first of these kinds that is found goes (`CLAIMS`):
 * - nothing is under way, or the client does not read its answer; these in turn;
 * - the client has stopped in the midst of a body;
 * - the answer is made, and not all of it is sent;
 * - the body has not come in full yet.
 * Of one kind the connection whose request began longest ago goes. So nobody shuts others out by holding many connections open. If work is
 * being done for all those looked at, it is the new connection that is closed.
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

import type { Dialling } from './guarded-connector.ts';

/** Of one pool: whoever comes next needs one connection, and who comes meanwhile another. */
const MOST_OF_POOL = 2;
/**
 * Of all pools of a process: connections, and the bytes of their requests' bodies. undici holds on to a request until its connection is
 * made or has failed, and as these requests are over, nobody else counts their memory any more.
 */
const MOST = 256;
const MOST_BYTES = 4 * 1024 * 1024;

/** What those of all pools take together. */
export interface UnclaimedTotal {
  dials: number;
  bytes: number;
}

/**
 * The connections in the making of one pool whose requests are over. A few go on, so that a receiver that takes longer to connect to than a request may
 * last has a connection for the next one; but not at the cost of a request that finds no other place, nor of memory.
 */
export class UnclaimedDials {
  readonly #total: UnclaimedTotal;
  /** With the bytes of each one's request. */
  readonly #dials = new Map<Dialling, number>();

  constructor(total: UnclaimedTotal) {
    this.#total = total;
  }

  /** @param bytes of the body of its request */
  add(dial: Dialling, bytes: number): void {
    const total = this.#total;
    if (this.#dials.size >= MOST_OF_POOL || total.dials >= MOST || total.bytes + bytes > MOST_BYTES) {
      dial.giveUp();
      return;
    }
    this.#dials.set(dial, bytes);
    total.dials++;
    total.bytes += bytes;
  }

  /** To be called when it is made or has failed. */
  remove(dial: Dialling): void {
    const bytes = this.#dials.get(dial);
    if (bytes === undefined) return;
    this.#dials.delete(dial);
    this.#total.dials--;
    this.#total.bytes -= bytes;
  }

  /** Ends the one whose request was over first, if there is any, for somebody who waits for its place. */
  giveUpOne(): void {
    for (const dial of this.#dials.keys()) {
      this.remove(dial);
      dial.giveUp();
      return;
    }
  }
}

import type { Dialling } from './guarded-connector.ts';
import { TenantShares } from './tenant-shares.ts';

/** Of one pool: whoever comes next needs one connection, and who comes meanwhile another. */
const MOST_OF_POOL = 2;
/**
 * Of all pools of a process: connections, and the bytes of their requests' bodies. undici holds on to a request until its connection is
 * made or has failed, and as these requests are over, nobody else counts their memory any more.
 */
const MOST = 256;
const MOST_BYTES = 4 * 1024 * 1024;

/** What those of all pools may take together: their tenants share it. */
export interface UnclaimedRoom {
  readonly dials: TenantShares;
  readonly bytes: TenantShares;
}

export function unclaimedRoom(): UnclaimedRoom {
  return { dials: new TenantShares(MOST), bytes: new TenantShares(MOST_BYTES) };
}

/**
 * The connections in the making of one pool whose requests are over. A few go on, so that a receiver that takes longer to connect to than a request may
 * last has a connection for the next one; but not at the cost of a request that finds no other place, nor of memory.
 */
export class UnclaimedDials {
  readonly #room: UnclaimedRoom;
  readonly #tenantNum: number;
  /** With the bytes of each one's request. */
  readonly #dials = new Map<Dialling, number>();

  constructor(room: UnclaimedRoom, tenantNum: number) {
    this.#room = room;
    this.#tenantNum = tenantNum;
  }

  /** @param bytes of the body of its request */
  add(dial: Dialling, bytes: number): void {
    if (this.#dials.size < MOST_OF_POOL && this.#take(bytes)) this.#dials.set(dial, bytes);
    else dial.giveUp();
  }

  #take(bytes: number): boolean {
    if (!this.#room.dials.take(this.#tenantNum, 1)) return false;
    if (this.#room.bytes.take(this.#tenantNum, bytes)) return true;
    this.#room.dials.giveBack(this.#tenantNum, 1);
    return false;
  }

  /** To be called when it is made or has failed. */
  remove(dial: Dialling): void {
    const bytes = this.#dials.get(dial);
    if (bytes === undefined) return;
    this.#dials.delete(dial);
    this.#room.dials.giveBack(this.#tenantNum, 1);
    this.#room.bytes.giveBack(this.#tenantNum, bytes);
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

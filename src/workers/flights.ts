import type { Abandonable } from '../delivery/sender.ts';
import type { DeliveryClass } from '../store/mailbox.ts';
import type { Letter } from './letter-queue.ts';

/** A request that is under way. */
export interface Flight {
  readonly letter: Letter;
  readonly kind: DeliveryClass;
  /** Whether it is one of the few that find out whether our own egress is well again: see `Probes`. */
  readonly isProbe?: boolean;
  request: Abandonable | null;
  /** Its place among those of its endpoint; -1 when it is not under way. `Flights` owns it. */
  place: number;
}

/** The requests to one endpoint that this process has under way. */
export class Flights {
  // No Set: see `KeptMap`.
  readonly #underWay: Flight[] = [];

  get count(): number {
    return this.#underWay.length;
  }

  begin(flight: Flight): void {
    flight.place = this.#underWay.push(flight) - 1;
  }

  /** @returns false when it was abandoned already */
  end(flight: Flight): boolean {
    const { place } = flight;
    if (place === -1) return false;
    const last = this.#underWay.pop()!;
    if (last !== flight) {
      this.#underWay[place] = last;
      last.place = place;
    }
    flight.place = -1;
    return true;
  }

  /** Hangs up on all of them; nobody will hear of their outcome. @returns those that were under way */
  abandon(): readonly Flight[] {
    const abandoned = this.#underWay.splice(0);
    for (const flight of abandoned) flight.place = -1;
    for (const { request } of abandoned) request?.abandon();
    return abandoned;
  }
}

import type { Abandonable } from '../delivery/send.ts';
import type { Letter, LetterClass } from './letter-queue.ts';

/** A request that is under way. */
export interface Flight {
  readonly letter: Letter;
  readonly kind: LetterClass;
  request: Abandonable | null;
}

/** The requests to one endpoint that this process has under way. */
export class Flights {
  readonly #underWay = new Set<Flight>();

  get count(): number {
    return this.#underWay.size;
  }

  begin(flight: Flight): void {
    this.#underWay.add(flight);
  }

  /** @returns false when it was abandoned already */
  end(flight: Flight): boolean {
    return this.#underWay.delete(flight);
  }

  /** Hangs up on all of them; nobody will hear of their outcome. @returns those that were under way */
  abandon(): readonly Flight[] {
    const abandoned = [...this.#underWay];
    this.#underWay.clear();
    for (const { request } of abandoned) request?.abandon();
    return abandoned;
  }
}

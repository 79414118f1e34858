import type { Response } from 'express';
import { Refusal } from '../domain/errors.ts';

/** The part of the budget that one tenant may have: a few sockets that announce much and send nothing must not shut other tenants out. */
const TENANT_SHARE = 0.5;

const OF_ALL = 'More request bodies are under way than this process may hold.';
const OF_TENANT = 'More request bodies of this tenant are under way than this process may hold of one.';

/** Bytes that are reserved for bodies: of one tenant, or of all. */
export interface Account {
  takenBytes: number;
}

/** The bytes that are reserved for the body of one request. */
export class BodyRoom {
  readonly #budgetBytes: number;
  readonly #all: Account;
  readonly #ofTenant: Account | null;
  #bytes = 0;

  constructor(budgetBytes: number, all: Account, ofTenant: Account | null) {
    this.#budgetBytes = budgetBytes;
    this.#all = all;
    this.#ofTenant = ofTenant;
  }

  /**
   * Reserves this many bytes; where as many are reserved already, nothing changes.
   * @throws Refusal 503 past the budget, unless there is no other body
   */
  growTo(bytes: number): void {
    const more = bytes - this.#bytes;
    if (more <= 0) return;
    if (this.#isPast(this.#all, more, 1)) throw tooMuch(OF_ALL);
    if (this.#ofTenant !== null && this.#isPast(this.#ofTenant, more, TENANT_SHARE)) throw tooMuch(OF_TENANT);
    this.#add(more);
  }

  free(): void {
    this.#add(-this.#bytes);
  }

  #isPast({ takenBytes }: Account, more: number, share: number): boolean {
    const isAlone = takenBytes === this.#bytes;
    return !isAlone && takenBytes + more > share * this.#budgetBytes;
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    this.#all.takenBytes += bytes;
    if (this.#ofTenant !== null) this.#ofTenant.takenBytes += bytes;
  }
}

/** What is reserved for the body of the request that is answered; null where nothing bounds it. */
export function roomOf({ locals }: Response): BodyRoom | null {
  return (locals.bodyRoom as BodyRoom | undefined) ?? null;
}

function tooMuch(what: string): Refusal {
  return new Refusal(503, 'overloaded', `${what} Send it again later.`, { retryAfterSeconds: 1 });
}

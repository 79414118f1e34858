import type { RequestHandler } from 'express';
import type { Caller } from '../domain/caller.ts';
import { type Account, BodyRoom } from './body-room.ts';
import { hasBody } from './has-body.ts';

export interface BodyBudgetOptions {
  readonly budgetBytes: number;
  /** Bytes that are reserved at first for a body of unknown length. */
  readonly unannouncedBytes: number;
}

/** With so many tenants, those that have nothing reserved are forgotten, all at once: a Map that loses an entry with each request keeps dead tables alive. */
const MAX_IDLE_TENANTS = 10_000;

/**
 * Bounds the memory that request bodies take together, and those of one tenant. What a request announces is reserved before its body
 * is read, and freed when it is answered. A request past the budget gets 503 at once. Where a request announces no length, more is
 * reserved as its body comes: see `roomOf`. A tenant that has no other body under way may send one of any size.
 * @returns makes the handler for a call; `largestBytes` is the largest body that the call reads
 */
export function bodyBudget({
  budgetBytes,
  unannouncedBytes,
}: BodyBudgetOptions): (largestBytes: number) => RequestHandler {
  const all: Account = { takenBytes: 0 };
  const accounts = new Map<number, Account>();
  const accountOf = (caller: Caller | undefined): Account | null => {
    if (caller?.kind !== 'tenant') return null;
    const { num } = caller.tenant;
    const known = accounts.get(num);
    if (known !== undefined) return known;
    if (accounts.size >= MAX_IDLE_TENANTS)
      for (const [other, account] of accounts) if (account.takenBytes === 0) accounts.delete(other);
    const account = { takenBytes: 0 };
    accounts.set(num, account);
    return account;
  };
  return (largestBytes) => (request, response, next) => {
    if (!hasBody(request)) return next();
    const announced = Number(request.headers['content-length'] ?? unannouncedBytes);
    // The body will be refused without being kept. Reading past it may take as long as the producer likes, and must not take room from
    // others.
    if (announced > largestBytes) return next();
    // The producer left while its key was looked up: no 'close' is to come that would free what is reserved.
    if (response.closed) return next();
    const room = new BodyRoom(budgetBytes, all, accountOf(response.locals.caller as Caller | undefined));
    room.growTo(announced);
    response.once('close', () => room.free());
    response.locals.bodyRoom = room;
    next();
  };
}

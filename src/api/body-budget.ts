import type { RequestHandler } from 'express';
import type { Caller } from '../domain/caller.ts';
import { type Account, BodyRoom } from './body-room.ts';
import { hasBody } from './has-body.ts';

export interface BodyBudgetOptions {
  readonly budgetBytes: number;
  /** What is set aside at first for a body of unknown length. */
  readonly unannouncedBytes: number;
}

/** Tenants that have nothing set aside are forgotten when there are so many, all at once: a Map that loses an entry with each request keeps dead tables alive. */
const MAX_IDLE_TENANTS = 10_000;

/**
 * Bounds the memory that request bodies take together, and those of one tenant. What a request announces is set aside before its body is read, and freed when it
 * is answered; past the budget it gets 503 at once. Where nothing is announced more is set aside as it comes: see `roomOf`. One body is taken however large it is when its tenant has none under way.
 * @returns what makes the handler of a call that reads bodies of so many bytes at the most
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
    // Nothing of it is kept, and it may take as long as its producer likes to be refused: others need not wait for that.
    if (announced > largestBytes) return next();
    // Its producer left while the key was looked up: no close is to come that would free what is set aside.
    if (response.closed) return next();
    const room = new BodyRoom(budgetBytes, all, accountOf(response.locals.caller as Caller | undefined));
    room.growTo(announced);
    response.once('close', () => room.free());
    response.locals.bodyRoom = room;
    next();
  };
}

import { Refusal } from '../domain/errors.ts';
import type { CheckTypes } from './check-type.ts';

/** The result of an attempt to store events if the event types that they were checked by have changed since. */
export class TypesChanged {
  readonly tenants: ReadonlySet<number>;

  constructor(tenants: Iterable<number>) {
    this.tenants = new Set(tenants);
  }
}

const MAX_TRIES = 6;
/** After so many tries they are locked: event types that are registered by the hundred, several at a time, change faster than events are checked and stored. */
const TRIES_WITHOUT_HOLD = 2;

/**
 * Repeats an attempt to check and store events until the event types of their tenants do not change in between. The first tries take no
 * lock; the later ones are made while the event types are locked.
 * @throws Refusal 503 if they change all the same, and what `attempt` throws
 */
export async function untilTypesHold<T>(
  attempt: () => Promise<T | TypesChanged>,
  { rules, duringHold }: Pick<CheckTypes, 'rules' | 'duringHold'>,
): Promise<T> {
  let restless: ReadonlySet<number> = new Set();
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const result = tries <= TRIES_WITHOUT_HOLD ? await attempt() : await duringHold(restless, attempt);
    if (!(result instanceof TypesChanged)) return result;
    restless = result.tenants;
    for (const num of restless) rules.forget(num);
  }
  throw typesRestless();
}

function typesRestless(): Refusal {
  const detail = 'The event types of the tenant change too fast to check the event. Nothing was stored: send it again.';
  return new Refusal(503, 'unavailable', detail, { retryAfterSeconds: 1 });
}

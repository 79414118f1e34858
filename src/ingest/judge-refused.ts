import type { AcceptDependencies } from './accept.ts';
import { areCurrent } from './check-type.ts';
import type { ItemResult } from './plan-group.ts';
import { type Rejection, rulesOf } from './rejection.ts';
import { storedAlready } from './stored-already.ts';
import { TypesChanged } from './until-types-hold.ts';

/** What becomes of events that were refused at first sight, by their indexes in the request. */
export interface Judged {
  readonly stored: ReadonlyMap<number, ItemResult>;
  readonly refused: ReadonlyMap<number, Rejection>;
}

export const NONE_REFUSED: Judged = { stored: new Map(), refused: new Map() };

/**
 * Asks Postgres whether refused events are stored already, and whether the event types that refused the others still hold.
 * @throws Refusal 503 when the producer's time is over
 */
export function judgeRefused(
  rejections: ReadonlyMap<number, Rejection>,
  { types, findStored, withinDeadline }: Pick<AcceptDependencies, 'types' | 'findStored' | 'withinDeadline'>,
): Promise<Judged | TypesChanged> {
  const judge = async () => {
    const stored = await storedAlready(rejections, findStored);
    const refused = new Map([...rejections].filter(([place]) => !stored.has(place)));
    const refusedBy = rulesOf(refused.values());
    return (await areCurrent(refusedBy, types)) ? { stored, refused } : new TypesChanged(refusedBy.keys());
  };
  return withinDeadline(judge());
}

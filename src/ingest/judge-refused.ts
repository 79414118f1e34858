import type { AcceptDependencies } from './accept.ts';
import { areCurrent } from './check-type.ts';
import type { ItemResult } from './plan-group.ts';
import { type Rejection, rulesOf } from './rejection.ts';
import type { PendingEvent } from './seal-event.ts';
import { storedAlready } from './stored-already.ts';
import { rulesOfChecked } from './types-changed-since.ts';
import { TypesChanged } from './until-types-hold.ts';

/** What becomes of events that were refused at first sight, by their indexes in the request. */
export interface Judged {
  readonly stored: ReadonlyMap<number, ItemResult>;
  readonly refused: ReadonlyMap<number, Rejection>;
}

export const NONE_REFUSED: Judged = { stored: new Map(), refused: new Map() };

/**
 * Asks Postgres whether refused events are stored already, and whether the event types that refused the others still hold.
 * @param beside events that are refused with these, where any is: whether the types that they were checked by hold is asked too
 * @throws Refusal 503 when the producer's time is over
 */
export function judgeRefused(
  rejections: ReadonlyMap<number, Rejection>,
  beside: readonly PendingEvent[],
  { types, findStored, withinDeadline }: Pick<AcceptDependencies, 'types' | 'findStored' | 'withinDeadline'>,
): Promise<Judged | TypesChanged> {
  const judge = async () => {
    const stored = await storedAlready(rejections, findStored);
    const refused = new Map([...rejections].filter(([place]) => !stored.has(place)));
    if (refused.size === 0) return { stored, refused };
    const checkedBy = rulesOf([...refused.values(), ...beside.map(rulesOfChecked)]);
    return (await areCurrent(checkedBy, types)) ? { stored, refused } : new TypesChanged(checkedBy.keys());
  };
  return withinDeadline(judge());
}

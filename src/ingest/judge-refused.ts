import type { AcceptDependencies } from './accept.ts';
import { areCurrent } from './check-type.ts';
import type { ItemResult } from './plan-group.ts';
import { type Rejection, rulesOf } from './rejection.ts';
import type { PendingEvent } from './seal-event.ts';
import { storedAlready } from './stored-already.ts';
import { rulesOfChecked, typesChangedSince } from './types-changed-since.ts';
import { TypesChanged } from './until-types-hold.ts';

/** What becomes of events that were refused at first sight, by their indexes in the request. */
export interface Judged {
  readonly stored: ReadonlyMap<number, ItemResult>;
  readonly refused: ReadonlyMap<number, Rejection>;
}

export const NONE_REFUSED: Judged = { stored: new Map(), refused: new Map() };

type JudgeDependencies = Pick<AcceptDependencies, 'types' | 'findStored' | 'withinDeadline'>;

/**
 * Asks Postgres whether refused events are stored already, and whether the event types that refused the others still hold.
 * @param beside events that are refused with these, where any is: whether the types that they were checked by hold is asked too. Where some
 * event is refused whatever Postgres says, they are refused without an answer to that
 * @throws Refusal 503 when the producer's time is over
 */
export async function judgeRefused(
  rejections: ReadonlyMap<number, Rejection>,
  beside: readonly PendingEvent[],
  dependencies: JudgeDependencies,
): Promise<Judged | TypesChanged> {
  const isCertain = [...rejections.values()].some(isInAnyCase);
  const [judged, changed] = await Promise.all([
    dependencies.withinDeadline(judge(rejections, isCertain ? [] : beside, dependencies)),
    isCertain ? typesChangedSince(beside, dependencies) : null,
  ]);
  if (changed === null) return judged;
  return judged instanceof TypesChanged ? new TypesChanged([...judged.tenants, ...changed.tenants]) : changed;
}

function isInAnyCase({ rules, claimant }: Rejection): boolean {
  return rules === undefined && claimant === undefined;
}

async function judge(
  rejections: ReadonlyMap<number, Rejection>,
  beside: readonly PendingEvent[],
  { types, findStored }: JudgeDependencies,
): Promise<Judged | TypesChanged> {
  const stored = await storedAlready(rejections, findStored);
  const refused = new Map([...rejections].filter(([place]) => !stored.has(place)));
  if (refused.size === 0) return { stored, refused };
  const checkedBy = rulesOf([...refused.values(), ...beside.map(rulesOfChecked)]);
  return (await areCurrent(checkedBy, types)) ? { stored, refused } : new TypesChanged(checkedBy.keys());
}

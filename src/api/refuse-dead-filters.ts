import { type Fault, Refusal } from '../domain/errors.ts';
import { canonicalText } from '../event-types/canonical-text.ts';
import { eventInput } from '../ingest/event-input.ts';
import type { Clause } from '../routing/condition.ts';
import { readFilter } from '../routing/read-filter.ts';
import type { Subscription } from '../routing/subscription-clauses.ts';

/** What an event has at its top: other names are refused when it is accepted, and what a CloudEvent has besides goes into `metadata`. */
const FIELDS: readonly string[] = Object.keys(eventInput.shape);

/**
 * Refuses filters that no event can match, because each of their alternatives asks for a field that none has: mostly `data` was forgotten.
 * @param before what the endpoint has already: that stays, as from an earlier version
 * @throws Refusal 422
 */
export function refuseDeadFilters(wanted: readonly Subscription[], before: readonly Subscription[]): void {
  const kept = new Set(before.map(spellingOf));
  const faults = wanted.flatMap((subscription, i): Fault[] => {
    const path = subscription.filter === undefined ? null : deadPath(subscription.filter);
    return path === null || kept.has(spellingOf(subscription))
      ? []
      : [{ path: `subscriptions.${i}.filter`, message: messageOf(path) }];
  });
  if (faults.length > 0) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults });
}

/** One for all orders of the names. */
function spellingOf({ filter }: Subscription): string {
  return filter === undefined ? '' : canonicalText(JSON.parse(filter), { left: Number.POSITIVE_INFINITY });
}

/** A field for which the filter can match nothing; null where it can match something. */
function deadPath(filter: string): string | null {
  const reading = readFilter(JSON.parse(filter));
  if (!reading.ok) return null;
  const paths = reading.clauses.map(deadField);
  return paths.includes(null) ? null : (paths[0] ?? null);
}

/** A field must have a value to match anything, be it `anything-but`, unless `exists: false` is one of its conditions. */
function deadField(clause: Clause): string | null {
  const dead = clause.find(
    ({ path, anyOf }) => !FIELDS.includes(path.split('.', 1)[0]!) && anyOf.every(({ kind }) => kind !== 'absent'),
  );
  return dead?.path ?? null;
}

function messageOf(path: string): string {
  const shown = path.slice(0, 100);
  return `matches no event: none has a field "${shown}", only ${FIELDS.join(', ')}; did you mean "data.${shown}"?`;
}

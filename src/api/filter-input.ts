import { z } from 'zod';
import { type Fault, Refusal } from '../domain/errors.ts';
import { mayHaveExactNumbers, parseExactly } from '../routing/exact-number.ts';
import { readFilter } from '../routing/read-filter.ts';
import { typePatternProblem } from '../routing/type-pattern.ts';

const MAX_TYPES = 100;

const typePattern = z.string().superRefine((pattern, context) => {
  const problem = typePatternProblem(pattern);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

export const typePatterns = z
  .array(typePattern)
  .min(1)
  .max(MAX_TYPES)
  .describe(
    'Dotted globs: `*` stands for one segment, `**` for any number, none included. Absent: every type but those of system events, which patterns match that begin with `system`.',
  );

export const filterDescription =
  'An Amazon EventBridge event pattern over the whole event as it was accepted, before a pinned version casts it, such as `{"data": {"amount": [{"numeric": [">", 100]}]}}`. Absent or null: every event of the types.';

/** An event pattern, refused with every fault at its place; kept as JSON text. */
export const filterInput = z
  .unknown()
  .meta({ type: ['object', 'null'], description: filterDescription })
  .transform((value, context): string | undefined => {
    if (value === undefined || value === null) return undefined;
    const reading = readFilter(value);
    for (const { path, message } of reading.ok ? [] : reading.faults) {
      context.addIssue({ code: 'custom', message, path: path === '' ? [] : [path] });
    }
    return JSON.stringify(value);
  });

/**
 * Finds the numbers of filters that the reading of the body has changed already: a double holds another number.
 * @param bodyText what the body was read from, found good otherwise
 * @throws Refusal 422
 */
export function refuseChangedNumbers(bodyText: string): void {
  if (!mayHaveExactNumbers(bodyText)) return;
  const { subscriptions, filter } = parseExactly(bodyText) as {
    subscriptions?: { filter?: unknown }[];
    filter?: unknown;
  };
  const faults = [
    ...faultsAt('filter', filter),
    ...(subscriptions ?? []).flatMap((each, i) => faultsAt(`subscriptions.${i}.filter`, each.filter)),
  ];
  if (faults.length > 0) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults });
}

function faultsAt(place: string, filter: unknown): readonly Fault[] {
  if (filter === undefined || filter === null) return [];
  const reading = readFilter(filter);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => ({ path: `${place}.${path}`, message }));
}

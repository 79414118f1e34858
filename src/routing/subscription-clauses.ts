import type { Clause, Condition, FieldTest } from './condition.ts';
import { readFilter } from './read-filter.ts';

/** What an endpoint asks for. */
export interface Subscription {
  readonly types?: readonly string[] | undefined;
  /** An event pattern as JSON text, which `readFilter` found good when it was stored. */
  readonly filter?: string | undefined;
}

/** The clauses of which an event must match one: the subscription's types, and each alternative of its filter. */
export function subscriptionClauses({ types, filter }: Subscription): readonly Clause[] {
  const test = typeTest(types);
  if (filter === undefined) return [[test]];
  const reading = readFilter(JSON.parse(filter));
  // If this version no longer accepts a filter that an earlier one has stored, the types alone decide: too many events harm less than lost
  // ones.
  if (!reading.ok) return [[test]];
  return reading.clauses.map((clause) => [test, ...clause]);
}

function typeTest(types: readonly string[] | undefined): FieldTest {
  const patterns = types === undefined || types.length === 0 ? ['**'] : types;
  return { path: 'type', anyOf: patterns.map(typeCondition) };
}

function typeCondition(text: string): Condition {
  return { kind: text.includes('*') ? 'glob' : 'string', text };
}

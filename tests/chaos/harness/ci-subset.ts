import type { Scenario } from './scenario.ts';

/** What runs with the tests, about three minutes in all: scenarios that are short, and the short variants of some others. */
export function ciSubset(scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.map((scenario) => scenario.short ?? scenario).filter(({ ci }) => ci === true);
}

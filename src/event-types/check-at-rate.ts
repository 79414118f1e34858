import type { CheckBudget } from './check-budget.ts';
import { type CheckRate, MOST_OWED } from './check-rate.ts';
import type { Validation, Validator } from './compile-schema.ts';
import type { CompileTurns } from './compile-turns.ts';

interface Check {
  readonly tenantNum: number;
  readonly data: unknown;
  readonly validate: Validator;
  /** Whether an event that does not fit is refused; otherwise its faults are only reported. */
  readonly isRefusing: boolean;
}

/**
 * Checks an event within what its request may spend, and what its tenant may spend over time. If the tenant has spent too much, an event
 * whose check takes long is refused, while usual ones pass. What the request itself has spent does not count against it, up to `MOST_OWED`,
 * so that a request with many events may come to its end.
 * @throws Refusal 429
 */
export async function checkAtRate(check: Check, budget: CheckBudget, turns: CompileTurns): Promise<Validation> {
  const { rate } = turns;
  let found: Validation | undefined;
  const turn = rate.inTurn(check.tenantNum, () => {
    const { cost, validation } = checkNow(check, budget, rate);
    found = validation;
    return cost;
  });
  // Nearly always the check was made at once.
  if (turn !== null) await turn;
  if (found!.kind !== 'unready') return found!;
  const { tenantNum, validate } = check;
  await turns.take(tenantNum, validate.prepare, budget.spent(tenantNum));
  return checkAtRate(check, budget, turns);
}

interface Checked {
  readonly cost: number;
  readonly validation: Validation;
}

function checkNow({ tenantNum, data, validate, isRefusing }: Check, budget: CheckBudget, rate: CheckRate): Checked {
  // A batch of a source may spend more than `MOST_OWED`. If all of that were left out, it would hold up everything else of its tenant for
  // as long.
  const spent = Math.min(budget.spent(tenantNum), MOST_OWED);
  const spare = rate.spare(tenantNum, spent);
  const fuel = spare === null ? budget.of(tenantNum) : { left: spare };
  const before = fuel.left;
  const validation = validate(data, fuel);
  const cost = before - fuel.left;
  rate.paid(tenantNum, cost);
  if (spare !== null && fuel.left === 0 && validation.kind === 'too_costly' && isRefusing)
    throw rate.refusal(tenantNum, spent);
  return { cost, validation };
}

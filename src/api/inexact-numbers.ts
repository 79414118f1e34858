import { type Fault, Refusal } from '../domain/errors.ts';
import { ExactNumber, mayHaveExactNumbers, parseExactly } from '../routing/exact-number.ts';
import { MAX_FAULTS } from './check-input.ts';

/**
 * Finds numbers that the reading of the body has changed: a double holds another one.
 * @throws Refusal 422
 */
export function refuseInexactNumbers(bodyText: string): void {
  if (!mayHaveExactNumbers(bodyText)) return;
  const faults = faultsIn(parseExactly(bodyText), '');
  if (faults.length > 0)
    throw new Refusal(422, 'invalid', 'The body is not valid.', { faults: faults.slice(0, MAX_FAULTS) });
}

function faultsIn(value: unknown, path: string): Fault[] {
  if (value instanceof ExactNumber) return [{ path, message: 'expected a number that a double holds exactly' }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => faultsIn(inner, path === '' ? name : `${path}.${name}`));
}

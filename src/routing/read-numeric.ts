import type { ConditionReading } from './read-condition.ts';

const EXAMPLE = 'such as ["=", 5], ["<", 10] or [">", 0, "<=", 5]';

/** Reads the list of `numeric`: one comparison, or a lower bound and then an upper one. */
export function readNumeric(value: unknown, at: readonly string[]): ConditionReading {
  if (!Array.isArray(value)) return bad(at, `expected an array, ${EXAMPLE}`);
  if (value.length !== 2 && value.length !== 4) return bad(at, `expected one or two comparisons, ${EXAMPLE}`);
  const [first, bound, second, top] = value as readonly unknown[];
  const [firstAt, secondAt] = [
    [...at, '0'],
    [...at, '2'],
  ];
  const wanted = value.length === 2 ? ['=', '<', '<=', '>', '>='] : ['>', '>='];
  if (typeof first !== 'string' || !wanted.includes(first)) {
    return bad(
      firstAt,
      value.length === 2 ? `expected one of ${wanted.join(' ')}` : 'expected > or >= for the lower bound',
    );
  }
  if (!isPlain(bound)) return bad([...at, '1'], NUMBER_WANTED);
  if (value.length === 2) return comparison(first, bound);
  if (second !== '<' && second !== '<=') return bad(secondAt, 'expected < or <= for the upper bound');
  if (!isPlain(top)) return bad([...at, '3'], NUMBER_WANTED);
  if (bound >= top) return bad(at, 'expected a lower bound that is less than the upper one');
  return range({ low: bound, lowOpen: first === '>', high: top, highOpen: second === '<' });
}

const NUMBER_WANTED = 'expected a number that an IEEE 754 double holds as it is written';

function isPlain(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function comparison(operator: string, bound: number): ConditionReading {
  const low = { low: bound, high: Number.POSITIVE_INFINITY, highOpen: false };
  const high = { low: Number.NEGATIVE_INFINITY, lowOpen: false, high: bound };
  switch (operator) {
    case '>':
      return range({ ...low, lowOpen: true });
    case '>=':
      return range({ ...low, lowOpen: false });
    case '<':
      return range({ ...high, highOpen: true });
    case '<=':
      return range({ ...high, highOpen: false });
    default:
      return { ok: true, condition: { kind: 'number', value: bound } };
  }
}

function range(bounds: { low: number; lowOpen: boolean; high: number; highOpen: boolean }): ConditionReading {
  return { ok: true, condition: { kind: 'range', ...bounds } };
}

function bad(at: readonly string[], message: string): ConditionReading {
  return { ok: false, faults: [{ path: at.join('.'), message }] };
}

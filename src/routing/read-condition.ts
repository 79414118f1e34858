import type { Fault } from '../domain/errors.ts';
import type { Condition } from './condition.ts';
import { ExactNumber } from './exact-number.ts';
import { foldCase } from './fold-case.ts';
import { parseCidr } from './ip-network.ts';
import { nearestName } from './nearest-name.ts';
import { OPERATORS } from './operators.ts';
import { readNumeric } from './read-numeric.ts';
import { readWildcard } from './wildcard.ts';

export type ConditionReading =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads one element of a field's array. @param at where it stands, for faults */
export function readCondition(value: unknown, at: readonly string[]): ConditionReading {
  if (value === null || typeof value === 'boolean') return good({ kind: 'literal', value });
  if (typeof value === 'string') return good({ kind: 'string', text: value });
  if (typeof value === 'number' || value instanceof ExactNumber) return readNumber(value, at);
  if (typeof value !== 'object' || Array.isArray(value)) {
    return bad(at, 'expected a string, a number, true, false, null or one of the operators in an object');
  }
  const names = Object.keys(value);
  if (names.length !== 1) return bad(at, `expected one operator, such as {"prefix": "x"}; found ${names.length}`);
  const name = names[0]!;
  return readOperator(name, (value as Record<string, unknown>)[name], at);
}

function readOperator(name: string, value: unknown, at: readonly string[]): ConditionReading {
  const inner = [...at, name];
  switch (name) {
    case 'exactly':
      return typeof value === 'string' ? good({ kind: 'string', text: value }) : bad(inner, 'expected a string');
    case 'prefix':
    case 'suffix':
      return readAffix(name, value, inner);
    case 'equals-ignore-case':
      return typeof value === 'string'
        ? good({ kind: 'equals', text: foldCase(value) })
        : bad(inner, 'expected a string');
    case 'wildcard':
      return readWildcardText(value, inner);
    case 'anything-but':
      return readAnythingBut(value, inner);
    case 'numeric':
      return readNumeric(value, inner);
    case 'exists':
      if (typeof value !== 'boolean') return bad(inner, 'expected true or false');
      return good({ kind: value ? 'exists' : 'absent' });
    case 'cidr': {
      const network = typeof value === 'string' ? parseCidr(value) : null;
      if (network === null) return bad(inner, 'expected a CIDR such as "10.0.0.0/8" or "2001:db8::/32"');
      return good({ kind: 'cidr', text: String(value), network });
    }
    default:
      return bad(inner, `expected an operator: did you mean "${nearestName(name, OPERATORS)}"?`);
  }
}

function readNumber(value: number | ExactNumber, at: readonly string[]): ConditionReading {
  if (typeof value === 'number' && Number.isFinite(value)) return good({ kind: 'number', value });
  return bad(at, 'expected a number that an IEEE 754 double holds as it is written, such as one of at most 15 digits');
}

function readAffix(kind: 'prefix' | 'suffix', value: unknown, at: readonly string[]): ConditionReading {
  if (typeof value === 'string') return good({ kind, text: value, fold: false });
  const text = onlyMember(value, 'equals-ignore-case');
  if (typeof text === 'string') return good({ kind, text: foldCase(text), fold: true });
  return bad(at, 'expected a string, or {"equals-ignore-case": "…"}');
}

function readWildcardText(value: unknown, at: readonly string[]): ConditionReading {
  if (typeof value !== 'string') return bad(at, 'expected a string with * in it');
  const reading = readWildcard(value);
  return reading.ok ? good({ kind: 'wildcard', text: value, wildcard: reading.wildcard }) : bad(at, reading.message);
}

const EXCLUDING: readonly string[] = ['prefix', 'suffix', 'wildcard', 'equals-ignore-case'];

function readAnythingBut(value: unknown, at: readonly string[]): ConditionReading {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber) {
    return readExcludedValues(value, at);
  }
  const names = Object.keys(value);
  const name = names[0] ?? '';
  if (names.length !== 1) return bad(at, `expected one of ${EXCLUDING.join(', ')}; found ${names.length} names`);
  if (!EXCLUDING.includes(name)) {
    const nearest = nearestName(name, EXCLUDING);
    return bad([...at, name], `expected one of ${EXCLUDING.join(', ')}: did you mean "${nearest}"?`);
  }
  return readExcludedTexts(name, (value as Record<string, unknown>)[name], [...at, name]);
}

/** All strings or all numbers, one or a list. */
function readExcludedValues(value: unknown, at: readonly string[]): ConditionReading {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isText = typeof values[0] === 'string';
  const fits = (one: unknown) =>
    isText ? typeof one === 'string' : typeof one === 'number' || one instanceof ExactNumber;
  if (values.length === 0 || !values.every(fits)) {
    return bad(at, 'expected a string, a number, or a list of nothing but strings or nothing but numbers');
  }
  return except(values.map((one, i) => readCondition(one, Array.isArray(value) ? [...at, String(i)] : at)));
}

function readExcludedTexts(name: string, value: unknown, at: readonly string[]): ConditionReading {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isAffix = name === 'prefix' || name === 'suffix';
  if (values.length === 0 || !values.every((one) => typeof one === 'string' && !(isAffix && one === ''))) {
    return bad(at, `expected a string or a list of strings${isAffix ? ', none of them empty' : ''}`);
  }
  return except(values.map((one) => readOperator(name, one, at.slice(0, -1))));
}

function except(readings: readonly ConditionReading[]): ConditionReading {
  const faults = readings.flatMap((reading) => (reading.ok ? [] : reading.faults));
  if (faults.length > 0) return { ok: false, faults };
  return good({ kind: 'except', of: readings.flatMap((reading) => (reading.ok ? [reading.condition] : [])) });
}

function onlyMember(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined;
  return (value as Record<string, unknown>)[name];
}

function good(condition: Condition): ConditionReading {
  return { ok: true, condition };
}

function bad(at: readonly string[], message: string): ConditionReading {
  return { ok: false, faults: [{ path: at.join('.'), message }] };
}

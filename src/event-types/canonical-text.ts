import { isObject } from './json-schema.ts';
import { burn, type Fuel } from './linear-pattern.ts';

/** What it costs to write a value, and a member of an object, whose names are sorted (measured). */
const VALUE_COST = 4;
const MEMBER_COST = 8;
const CHARACTERS_A_UNIT = 16;

/**
 * A text that is the same for all values of JSON that are deeply equal, whatever the order of their members; 0 and -0 are equal.
 * @throws OutOfFuel
 */
export function canonicalText(value: unknown, fuel: Fuel): string {
  burn(fuel, VALUE_COST);
  if (Array.isArray(value)) return `[${value.map((each) => canonicalText(each, fuel)).join()}]`;
  // Not `JSON.stringify`: a number that is past the doubles was read as Infinity, of which that makes `null`.
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value, fuel);
  if (!isObject(value)) return String(value);
  const names = Object.keys(value);
  burn(fuel, names.length * MEMBER_COST);
  return `{${names
    .sort()
    .map((name) => `${quoted(name, fuel)}:${canonicalText(value[name], fuel)}`)
    .join()}}`;
}

function quoted(text: string, fuel: Fuel): string {
  burn(fuel, Math.floor(text.length / CHARACTERS_A_UNIT));
  return JSON.stringify(text);
}

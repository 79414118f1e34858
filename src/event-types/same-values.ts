import { isObject } from './json-schema.ts';

/** A check for values of events: whether one is among these, of JSON too. */
export function isOneOf(values: readonly unknown[]): (value: unknown) => boolean {
  const plain = new Set(values.filter((value) => typeof value !== 'object' || value === null));
  const others = values.filter((value) => typeof value === 'object' && value !== null);
  return (value) =>
    typeof value === 'object' && value !== null ? others.some((other) => areSame(other, value)) : plain.has(value);
}

/** Whether two values of JSON are the same, whatever their members are named. 0 and -0 are, which Node's own comparison tells apart. */
function areSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => areSame(each, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && areSame(a[name], b[name]));
}

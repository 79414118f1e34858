import { canonicalText } from './canonical-text.ts';
import type { Fuel } from './linear-pattern.ts';

/**
 * Makes a check for values of events: whether a value is one of these, which may be any JSON. An object or array of an event is gone over
 * once, however many it is compared with. Node's own comparison would go over it for each, and takes 0 and -0 for different.
 */
export function isOneOf(values: readonly unknown[], fuel: Fuel): (value: unknown) => boolean {
  const plain = new Set(values.filter((value) => !isComposed(value)));
  const composed = new Set(values.filter(isComposed).map((value) => canonicalText(value, UNBOUNDED)));
  return (value) => {
    if (!isComposed(value)) return plain.has(value);
    return composed.size > 0 && composed.has(canonicalText(value, fuel));
  };
}

const UNBOUNDED: Fuel = { left: Number.POSITIVE_INFINITY };

function isComposed(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

import type { Fault } from '../domain/errors.ts';
import type { JsonSchema, SchemaObject } from './json-schema.ts';

/** Where a newer schema may refuse what an older one accepts. */
export interface Problem extends Fault {
  /** Dotted, in the newer schema, down to the keyword: `properties.items.items.minLength`. */
  readonly path: string;
  /** The path among the values that the schema describes, as a diff names them: `items.[]`. Empty for the whole. */
  readonly place: string;
  /** The keyword there that refuses them, with which the message goes on; empty where that is plain. */
  readonly keyword: string;
}

/** Two schemas for the same values: whatever the older one accepts, the newer one is to accept. */
export interface Comparison {
  readonly older: SchemaObject;
  readonly newer: SchemaObject;
  /** Whether the newer schema may name properties of which the older one says nothing. */
  readonly isOpen: boolean;
  /**
   * Compares schemas inside these.
   * @param place dotted, from the newer one
   * @param isWhole whether `older` is all that was said of the values
   */
  readonly inner: (older: JsonSchema, newer: JsonSchema, place: string, isWhole?: boolean) => readonly Problem[];
  /**
   * The other way round: whether a part of the older schema accepts whatever a part of the newer one accepts. Here `isOpen` does not hold.
   */
  readonly isWithin: (newer: JsonSchema, older: JsonSchema) => boolean;
  /** Whether a name matches a pattern. */
  readonly matches: (pattern: string, name: string) => boolean;
}

/** Whether values of this type may be accepted. */
export function takes({ type }: SchemaObject, wanted: string): boolean {
  if (type === undefined) return true;
  const types = Array.isArray(type) ? type : [type];
  return types.includes(wanted) || (wanted === 'integer' && types.includes('number'));
}

/** @param path that of a keyword, which speaks of the values themselves unless `place` says otherwise */
export function fault(path: string, message: string, place?: string): Problem {
  return { path, message, place: place ?? '', keyword: place === undefined ? path : '' };
}

/** The problem of a bound that became tighter; one that is new is a problem too. */
export function boundProblem({ older, newer }: Comparison, keyword: string, direction: 'min' | 'max'): Problem[] {
  const bound = newer[keyword] as number | undefined;
  if (bound === undefined || (direction === 'min' && bound === 0)) return [];
  const before = older[keyword] as number | undefined;
  if (before === undefined) return [fault(keyword, `${bound} is new: values beyond it were accepted`)];
  const isTighter = direction === 'min' ? bound > before : bound < before;
  return isTighter ? [fault(keyword, `is tightened from ${before} to ${bound}`)] : [];
}

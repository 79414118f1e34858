import type { IpNetwork } from './ip-network.ts';
import type { Wildcard } from './wildcard.ts';

/** One alternative of a field: what a single value of the event must be. `text` of a `fold` condition is case-folded already. */
export type Condition =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'literal'; readonly value: boolean | null }
  | { readonly kind: 'equals'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string; readonly fold: boolean }
  | { readonly kind: 'suffix'; readonly text: string; readonly fold: boolean }
  | { readonly kind: 'wildcard'; readonly text: string; readonly wildcard: Wildcard }
  | NumberRange
  | { readonly kind: 'cidr'; readonly text: string; readonly network: IpNetwork }
  | { readonly kind: 'exists' }
  /** No value satisfies this one: the field must not be there. */
  | { readonly kind: 'absent' }
  /** A type pattern with `*` or `**`; only for the event's type. */
  | { readonly kind: 'glob'; readonly text: string }
  | { readonly kind: 'except'; readonly of: readonly Condition[] };

export interface NumberRange {
  readonly kind: 'range';
  readonly low: number;
  readonly lowOpen: boolean;
  readonly high: number;
  readonly highOpen: boolean;
}

/** A field of a filter: it holds when one of its values satisfies one of the conditions. */
export interface FieldTest {
  /** Names joined by dots, as in event-ruler: `data.amount`. */
  readonly path: string;
  readonly anyOf: readonly Condition[];
}

/** Tests that must hold together. A filter is one clause, or with `$or` several, of which one must hold. */
export type Clause = readonly FieldTest[];

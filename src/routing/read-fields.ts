import { ExactNumber } from './exact-number.ts';
import type { ArrayElement, EventArray, PathNode } from './path-node.ts';
import type { Leaf } from './satisfies.ts';

/**
 * Reads an event in one pass: puts each value into its path's node, and skips whatever filters do not ask about. Arrays are looked through,
 * as if their elements stood in their place. A name with dots in it is as good as that many levels.
 * @param event what `JSON.parse` or `parseExactly` made; its depth must be bounded by whoever read it
 * @returns the nodes that have values now
 */
export function readFields(event: unknown, root: PathNode, seq: number): PathNode[] {
  const touched: PathNode[] = [];
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) {
    readObject(event as Readonly<Record<string, unknown>>, root, null, { touched, seq });
  }
  return touched;
}

/** Lets go of the event's values. */
export function releaseFields(touched: readonly PathNode[]): void {
  for (const node of touched) node.forgetValues();
}

interface Reading {
  readonly touched: PathNode[];
  readonly seq: number;
}

function readObject(
  object: Readonly<Record<string, unknown>>,
  node: PathNode,
  within: ArrayElement | null,
  reading: Reading,
): void {
  if (node.children === null) return;
  for (const name of Object.keys(object)) {
    const child = node.children.get(name) ?? (name.includes('.') ? descend(node, name) : undefined);
    const value = child === undefined ? undefined : object[name];
    // In an object that was not read from JSON an absent field may be undefined.
    if (value !== undefined) readValue(value, child!, within, reading);
  }
}

function descend(node: PathNode, dotted: string): PathNode | undefined {
  let at: PathNode | undefined = node;
  for (const part of dotted.split('.')) {
    at = at.children?.get(part);
    if (at === undefined) return undefined;
  }
  return at;
}

function readValue(value: unknown, node: PathNode, within: ArrayElement | null, reading: Reading): void {
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) {
    if (node.uses > 0) addLeaf(value as Leaf, node, within, reading);
  } else if (Array.isArray(value)) readArray(value, node, within, reading);
  else readObject(value as Readonly<Record<string, unknown>>, node, within, reading);
}

/** Objects and arrays in an array are elements of it; plain values count as the field's own, as in event-ruler. */
function readArray(values: readonly unknown[], node: PathNode, within: ArrayElement | null, reading: Reading): void {
  let array: EventArray | null = null;
  for (const value of values) {
    const isNested = typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
    if (isNested) array ??= { within, spot: null };
    readValue(value, node, isNested ? { array: array!, round: 0, spot: null } : within, reading);
  }
}

function addLeaf(value: Leaf, node: PathNode, within: ArrayElement | null, { touched, seq }: Reading): void {
  if (node.seq !== seq) {
    node.seq = seq;
    node.inArrays = 0;
    touched.push(node);
  }
  const last = node.values.length - 1;
  if (last >= 0 && node.values[last] === value && node.elements[last] === within) return;
  node.values.push(value);
  node.elements.push(within);
  if (within !== null) node.inArrays++;
}

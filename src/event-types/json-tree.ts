import { arrayElements, type Member, objectMembers } from '../domain/json-slices.ts';

/**
 * A JSON text that is taken apart only where it is changed: the rest stays as it was written. Objects keep the order of their members; of
 * a name that comes twice the last counts, as it does for `JSON.parse`.
 */
export type JsonTree =
  | { kind: 'text'; text: string }
  | { kind: 'object'; members: { name: string; value: JsonTree }[] }
  | { kind: 'array'; items: JsonTree[] };

export function treeOf(text: string): JsonTree {
  return { kind: 'text', text };
}

export function textOf(tree: JsonTree): string {
  switch (tree.kind) {
    case 'text':
      return tree.text;
    case 'object':
      return `{${tree.members.map(({ name, value }) => `${JSON.stringify(name)}:${textOf(value)}`).join()}}`;
    case 'array':
      return `[${tree.items.map(textOf).join()}]`;
  }
}

/** Takes an object apart in place. @returns its members; null when the tree is no object. */
export function membersOf(tree: JsonTree): { name: string; value: JsonTree }[] | null {
  if (tree.kind === 'text' && tree.text.startsWith('{')) {
    const members = objectMembers(tree.text).map(({ name, text }: Member) => ({ name, value: treeOf(text) }));
    Object.assign(tree, { kind: 'object', members });
  }
  return tree.kind === 'object' ? tree.members : null;
}

/** Takes an array apart in place. @returns its items; null when the tree is no array. */
export function itemsOf(tree: JsonTree): JsonTree[] | null {
  if (tree.kind === 'text' && tree.text.startsWith('[')) {
    Object.assign(tree, { kind: 'array', items: arrayElements(tree.text).map(treeOf) });
  }
  return tree.kind === 'array' ? tree.items : null;
}

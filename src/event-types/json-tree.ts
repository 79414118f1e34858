import { arrayElements, objectMembers } from '../domain/json-slices.ts';

export interface TreeMember {
  readonly name: string;
  readonly value: JsonTree;
}

/**
 * A JSON text that is taken apart only where it is changed: the rest stays as it was written. Objects keep the order of their members. If a
 * name comes twice, the last counts, as for `JSON.parse`. All trees have one shape, whatever they hold, because objects that change their
 * shape are slow: ten thousand of them cost more than all that is done with them.
 */
export interface JsonTree {
  /** Empty once it is taken apart. */
  text: string;
  members: TreeMember[] | null;
  items: JsonTree[] | null;
}

/** Is told how many characters were read to take something apart. */
export interface ReadCounter {
  readonly read: (characters: number) => void;
}

export function treeOf(text: string): JsonTree {
  return { text, members: null, items: null };
}

/** An object without members. */
export function emptyTree(): JsonTree {
  return { text: '', members: [], items: null };
}

export function textOf({ text, members, items }: JsonTree): string {
  if (members !== null)
    return `{${members.map(({ name, value }) => `${JSON.stringify(name)}:${textOf(value)}`).join()}}`;
  return items === null ? text : `[${items.map(textOf).join()}]`;
}

/** Takes an object apart in place. @returns its members; null when the tree is no object. */
export function membersOf(tree: JsonTree, counter: ReadCounter): TreeMember[] | null {
  if (tree.text.startsWith('{')) {
    counter.read(tree.text.length);
    tree.members = objectMembers(tree.text).map(({ name, text }) => ({ name, value: treeOf(text) }));
    tree.text = '';
  }
  return tree.members;
}

/** Takes an array apart in place. @returns its items; null when the tree is no array. */
export function itemsOf(tree: JsonTree, counter: ReadCounter): JsonTree[] | null {
  if (tree.text.startsWith('[')) {
    counter.read(tree.text.length);
    tree.items = arrayElements(tree.text).map(treeOf);
    tree.text = '';
  }
  return tree.items;
}

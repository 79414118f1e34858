import type { Cast, CastDirection } from './cast.ts';
import { arraysOf, type CastPath, EACH, readCastPath } from './cast-path.ts';
import { itemsOf, type JsonTree, membersOf, textOf, treeOf } from './json-tree.ts';

interface Move {
  /** Up to the array whose items it is made in. */
  readonly base: CastPath;
  readonly from: CastPath;
  readonly to: CastPath;
}

interface Place {
  readonly base: CastPath;
  readonly at: CastPath;
}

/** A cast in one direction, made ready once. */
export interface CastPlan {
  readonly moves: readonly Move[];
  readonly drops: readonly Place[];
  readonly fills: readonly (Place & { readonly text: string })[];
}

export function castPlan({ renames, defaults, removes, restores }: Cast, direction: CastDirection): CastPlan {
  const isUp = direction === 'up';
  const moves = Object.entries(renames).map(([older, newer]) => {
    const [from, to] = (isUp ? [older, newer] : [newer, older]).map(readCastPath) as [CastPath, CastPath];
    const arrays = arraysOf(from);
    return { base: from.slice(0, arrays), from: from.slice(arrays), to: to.slice(arrays) };
  });
  const gone = [...removes, ...Object.keys(restores)];
  return {
    moves,
    drops: (isUp ? gone : Object.keys(defaults)).map(placeOf),
    fills: Object.entries(isUp ? defaults : restores).map(([path, value]) => ({
      ...placeOf(path),
      text: JSON.stringify(value),
    })),
  };
}

/** By how much casts may make one event's data longer, in characters: what is filled into each item of an array may be a thousand times what was sent. */
export const MAX_GROWTH = 256 * 1024;
/** What a member takes beside its name and value. */
const PUNCTUATION = 4;

/** The data would grow too much. */
export class CastTooLarge extends Error {
  constructor() {
    super(`A cast may not make the data of an event longer by more than ${MAX_GROWTH} characters.`);
    this.name = 'CastTooLarge';
  }
}

/** How much longer the data has become, by all the casts on its way. */
export class Growth {
  #length = 0;

  /** @throws CastTooLarge before anything of that length is made */
  add(length: number): void {
    this.#length += length;
    if (this.#length > MAX_GROWTH) throw new CastTooLarge();
  }
}

/**
 * Data in another version: what is to go is dropped, what is named otherwise is moved, what is missing is filled in. All that is not named
 * stays to the letter. The same data always gives the same text.
 * @throws CastTooLarge
 */
export function castData(dataText: string, { moves, drops, fills }: CastPlan, growth = new Growth()): string {
  const tree = treeOf(dataText);
  for (const { base, at } of drops) forEach(tree, base, (place) => takeOut(place, at));
  // All are taken out before one is put in, so that two names can change places.
  const moved = moves.flatMap((move) => {
    const taken: (() => void)[] = [];
    forEach(tree, move.base, (place) => {
      const value = takeOut(place, move.from);
      if (value === null) return;
      growth.add(-move.from.at(-1)!.length - PUNCTUATION);
      taken.push(() => putIn(place, move.to, () => value, growth));
    });
    return taken;
  });
  for (const put of moved) put();
  for (const { base, at, text } of fills) {
    const fill = () => {
      growth.add(text.length);
      return treeOf(text);
    };
    forEach(tree, base, (place) => putIn(place, at, fill, growth));
  }
  return textOf(tree);
}

function placeOf(text: string): Place {
  const path = readCastPath(text);
  const arrays = arraysOf(path);
  return { base: path.slice(0, arrays), at: path.slice(arrays) };
}

/** Visits what a path leads to, item by item where it goes into arrays. */
function forEach(tree: JsonTree, path: CastPath, visit: (place: JsonTree) => void): void {
  const [name, ...rest] = path;
  if (name === undefined) visit(tree);
  else if (name === EACH) for (const item of itemsOf(tree) ?? []) forEach(item, rest, visit);
  else {
    const member = membersOf(tree)?.findLast((each) => each.name === name);
    if (member !== undefined) forEach(member.value, rest, visit);
  }
}

/** Removes a value; an object that is left without members goes with it. @returns null when it is not there. */
function takeOut(tree: JsonTree, [name, ...rest]: CastPath): JsonTree | null {
  const members = membersOf(tree);
  const index = members?.findLastIndex((member) => member.name === name) ?? -1;
  if (members === null || index === -1) return null;
  const { value } = members[index]!;
  const found = rest.length === 0 ? value : takeOut(value, rest);
  const isEmpty = found !== null && rest.length > 0 && membersOf(value)?.length === 0;
  if (found !== null && (rest.length === 0 || isEmpty)) {
    const left = members.filter((member) => member.name !== name);
    members.splice(0, members.length, ...left);
  }
  return found;
}

/** Adds a value unless one is there; objects on the way are made. Where something else stands in the way, it stays. */
function putIn(tree: JsonTree, [name, ...rest]: CastPath, make: () => JsonTree, growth: Growth): void {
  const members = membersOf(tree);
  if (members === null || name === undefined) return;
  const there = members.findLast((member) => member.name === name);
  if (there === undefined) growth.add(name.length + PUNCTUATION);
  if (rest.length === 0) {
    if (there === undefined) members.push({ name, value: make() });
    return;
  }
  const next: JsonTree = there?.value ?? { kind: 'object', members: [] };
  if (there === undefined) members.push({ name, value: next });
  putIn(next, rest, make, growth);
}

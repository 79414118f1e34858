import type { Cast, CastDirection } from './cast.ts';
import { arraysOf, type CastPath, EACH, readCastPath } from './cast-path.ts';
import { emptyTree, itemsOf, type JsonTree, membersOf, type ReadCounter, textOf, treeOf } from './json-tree.ts';

type Members = NonNullable<ReturnType<typeof membersOf>>;

interface Move {
  readonly from: CastPath;
  readonly to: CastPath;
}

interface Fill {
  readonly at: CastPath;
  readonly text: string;
}

/**
 * What is done in each item of one array, or in the data itself. It is done together, so that the items are walked once, however many paths
 * go into them.
 */
interface Group {
  /** The path up to the array whose items it is done in; empty for the data itself. */
  readonly base: CastPath;
  readonly drops: CastPath[];
  readonly moves: Move[];
  readonly fills: Fill[];
}

/** A cast in one direction, made ready once. */
export type CastPlan = readonly Group[];

export function castPlan({ renames, defaults, removes, restores }: Cast, direction: CastDirection): CastPlan {
  const isUp = direction === 'up';
  const groups = new Map<string, Group>();
  for (const [older, newer] of Object.entries(renames)) {
    const [from, to] = (isUp ? [older, newer] : [newer, older]).map(readCastPath) as [CastPath, CastPath];
    // Both paths go into the same array.
    groupOf(groups, from).moves.push({ from: innerOf(from), to: innerOf(to) });
  }
  const gone = [...removes, ...Object.keys(restores)];
  for (const path of (isUp ? gone : Object.keys(defaults)).map(readCastPath)) {
    groupOf(groups, path).drops.push(innerOf(path));
  }
  for (const [text, value] of Object.entries(isUp ? defaults : restores)) {
    const path = readCastPath(text);
    groupOf(groups, path).fills.push({ at: innerOf(path), text: JSON.stringify(value) });
  }
  return [...groups.values()];
}

function groupOf(groups: Map<string, Group>, path: CastPath): Group {
  const base = path.slice(0, arraysOf(path));
  const key = base.join('.');
  const group = groups.get(key) ?? { base, drops: [], moves: [], fills: [] };
  groups.set(key, group);
  return group;
}

function innerOf(path: CastPath): CastPath {
  return path.slice(arraysOf(path));
}

/**
 * By how much casts may make the data of one event longer, in characters: what they fill into each item of an array may come to a thousand
 * times what was sent.
 */
export const MAX_GROWTH = 256 * 1024;
/** How many characters a member takes beside its name and value. */
const PUNCTUATION = 4;
/**
 * How many places casts may look at in the data of one event. Each path goes to all items of its arrays, again for each major. A place
 * takes some 0.05 µs, in which the process does nothing else.
 */
export const MAX_VISITS = 300_000;
/** Looking for a name among so many members takes about as long as going to one place. */
const MEMBERS_A_VISIT = 16;
/** Reading so many characters takes about as long as going to one place. */
const CHARACTERS_A_PLACE = 12;

/** Thrown when casts would make the data grow too much, or would take too long. */
export class CastTooLarge extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CastTooLarge';
  }
}

/** How much longer the data of an event has become, how many places were looked at, and how much was read, by all casts on its way. */
export class CastCost implements ReadCounter {
  #length = 0;
  #visits = 0;
  #read = 0;

  /** How many places were looked at, with what was read counted as further ones. */
  get places(): number {
    return this.#visits + this.#read / CHARACTERS_A_PLACE;
  }

  /**
   * Each level of a path reads all that is below it, to find out which names it has and where they end. This has no bound of its own,
   * because paths are short.
   */
  read(characters: number): void {
    this.#read += characters;
  }

  /** @throws CastTooLarge before anything of that length is made */
  add(length: number): void {
    this.#length += length;
    if (this.#length <= MAX_GROWTH) return;
    throw new CastTooLarge(`A cast may not make the data of an event longer by more than ${MAX_GROWTH} characters.`);
  }

  /** @throws CastTooLarge */
  visit(members = 0): void {
    this.#visits += 1 + Math.floor(members / MEMBERS_A_VISIT);
    if (this.#visits <= MAX_VISITS) return;
    throw new CastTooLarge(
      `A cast may not look at more than ${MAX_VISITS} places in the data of an event: its paths times the items of their arrays, over all majors.`,
    );
  }
}

/**
 * Casts data to another version, plan after plan: drops what is to go, moves what has another name, fills in what is missing. Everything
 * else stays as it was written. The same data always gives the same text.
 * @throws CastTooLarge
 */
export function castData(dataText: string, plans: readonly CastPlan[], cost = new CastCost()): string {
  const tree = treeOf(dataText);
  // One tree for all plans: what was taken apart for one is not read again for the next.
  for (const plan of plans) castTree(tree, plan, cost);
  return textOf(tree);
}

function castTree(tree: JsonTree, plan: CastPlan, cost: CastCost): void {
  for (const { base, drops } of plan) {
    if (drops.length > 0) forEach(tree, base, cost, (place) => dropAll(place, drops, cost));
  }
  // All values are taken out before the first is put in, so that two names can change places.
  const taken: Taken[] = [];
  for (const { base, moves } of plan) {
    if (moves.length > 0) forEach(tree, base, cost, (place) => takeAll(place, moves, cost, taken));
  }
  for (const { place, to, value } of taken) putIn(place, to, () => value, cost);
  for (const { base, fills } of plan) {
    if (fills.length > 0) forEach(tree, base, cost, (place) => fillAll(place, fills, cost));
  }
}

interface Taken {
  readonly place: JsonTree;
  readonly to: CastPath;
  readonly value: JsonTree;
}

function dropAll(place: JsonTree, drops: readonly CastPath[], cost: CastCost): void {
  for (const path of drops) takeOut(place, path, cost);
}

function takeAll(place: JsonTree, moves: readonly Move[], cost: CastCost, taken: Taken[]): void {
  for (const { from, to } of moves) {
    const value = takeOut(place, from, cost);
    if (value === null) continue;
    cost.add(-from.at(-1)!.length - PUNCTUATION);
    taken.push({ place, to, value });
  }
}

function fillAll(place: JsonTree, fills: readonly Fill[], cost: CastCost): void {
  for (const { at, text } of fills) {
    const fill = () => {
      cost.add(text.length);
      return treeOf(text);
    };
    putIn(place, at, fill, cost);
  }
}

/** Visits the places that a path leads to: each item, where it goes into an array. */
function forEach(tree: JsonTree, path: CastPath, cost: CastCost, visit: (place: JsonTree) => void, depth = 0): void {
  const name = path[depth];
  if (name === undefined) visit(tree);
  else if (name === EACH) {
    for (const item of itemsOf(tree, cost) ?? []) {
      cost.visit();
      forEach(item, path, cost, visit, depth + 1);
    }
  } else {
    const members = membersOf(tree, cost);
    cost.visit(members?.length);
    const member = memberOf(members, name);
    if (member !== undefined) forEach(member.value, path, cost, visit, depth + 1);
  }
}

/** Removes a value; an object that is left without members goes with it. @returns null when it is not there. */
function takeOut(tree: JsonTree, path: CastPath, cost: CastCost, depth = 0): JsonTree | null {
  const name = path[depth];
  const members = membersOf(tree, cost);
  cost.visit(members?.length);
  const member = memberOf(members, name);
  if (members === null || name === undefined || member === undefined) return null;
  const isLast = depth === path.length - 1;
  const found = isLast ? member.value : takeOut(member.value, path, cost, depth + 1);
  const isEmpty = found !== null && !isLast && membersOf(member.value, cost)?.length === 0;
  if (found !== null && (isLast || isEmpty)) removeAll(members, name);
  return found;
}

/** In place: an object may have more members than a call takes arguments. */
function removeAll(members: { readonly name: string }[], name: string): void {
  let kept = 0;
  for (const member of members) if (member.name !== name) members[kept++] = member;
  members.length = kept;
}

/** Adds a value unless one is there; objects on the way are made. Where something else stands in the way, it stays. */
function putIn(tree: JsonTree, path: CastPath, make: () => JsonTree, cost: CastCost, depth = 0): void {
  const name = path[depth];
  const members = membersOf(tree, cost);
  cost.visit(members?.length);
  if (members === null || name === undefined) return;
  const there = memberOf(members, name);
  if (there === undefined) cost.add(name.length + PUNCTUATION);
  if (depth === path.length - 1) {
    if (there === undefined) members.push({ name, value: make() });
    return;
  }
  const next: JsonTree = there?.value ?? emptyTree();
  if (there === undefined) members.push({ name, value: next });
  putIn(next, path, make, cost, depth + 1);
}

/** The member with that name; the last, if it comes twice. */
function memberOf(members: Members | null, name: string | undefined): Members[number] | undefined {
  // `findLast` takes several times as long, and this is what most of the time goes to.
  for (let i = (members?.length ?? 0) - 1; i >= 0; i--) if (members![i]!.name === name) return members![i];
  return undefined;
}

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

/** What is done in each item of one array, or in the data itself; together, so that many items are walked once for many paths. */
interface Group {
  /** Up to the array whose items it is done in. */
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
    // Both are in the same array.
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

/** By how much casts may make one event's data longer, in characters: what is filled into each item of an array may be a thousand times what was sent. */
export const MAX_GROWTH = 256 * 1024;
/** What a member takes beside its name and value. */
const PUNCTUATION = 4;
/**
 * How many places in one event's data casts may look at: each path goes to all items of its arrays, in each major anew. A place takes some
 * 0.05 µs, and nothing else is done in the process meanwhile.
 */
export const MAX_VISITS = 300_000;
/** To look for a name among so many members costs about as much as to come to their object. */
const MEMBERS_A_VISIT = 16;
/** To read so many takes about as long as to look at a place. */
const CHARACTERS_A_PLACE = 12;

/** The data would grow too much, or to cast it would take too long. */
export class CastTooLarge extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CastTooLarge';
  }
}

/** How much longer the data has become, how often it was looked at and how much of it was read, by all the casts on its way. */
export class CastCost implements ReadCounter {
  #length = 0;
  #visits = 0;
  #read = 0;

  /** The places that were looked at, and what was read as so many more. */
  get places(): number {
    return this.#visits + this.#read / CHARACTERS_A_PLACE;
  }

  /** Each level of a path reads all that is below it: what names it has, and where they end. Paths are short, so that it has a bound by itself. */
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
 * Data in another version, plan after plan: what is to go is dropped, what is named otherwise is moved, what is missing is filled in. All that
 * is not named stays to the letter. The same data always gives the same text.
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
  // All are taken out before one is put in, so that two names can change places.
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

/** Visits what a path leads to, item by item where it goes into arrays. */
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

/** Of a name that comes twice the last. */
function memberOf(members: Members | null, name: string | undefined): Members[number] | undefined {
  // `findLast` takes several times as long, and this is what most of the time goes to.
  for (let i = (members?.length ?? 0) - 1; i >= 0; i--) if (members![i]!.name === name) return members![i];
  return undefined;
}

import { AT, type IndexMemory, PLACE } from './index-memory.ts';
import { isCertain, isGuessed, KIND } from './record-kind.ts';

/** Words of the links of an edge: the mark of the event that followed the edge last, how many links there are, and then each link. */
export const LINKS = { mark: 0, count: 1, first: 2 } as const;
export const LINK = { previous: 0, next: 1, test: 2, links: 3, words: 4 } as const;

/**
 * Makes the edge of a test at a place known to where events look for it. A test that values find by a lookup needs nothing: its record
 * leads to the edge. A range is put into a tree. A test of several conditions gets a link for each of them. Conditions that nearly every
 * value satisfies, and the one that no value satisfies, are put into lists, whose tests are asked each time.
 * @returns the edge's links; 0 when it has none
 */
export function linkEdge(memory: IndexMemory, place: number, test: number): number {
  const { arena, conditions } = memory;
  const found = finders(memory, test);
  for (const { by, condition } of found) if (by === 'record' || by === 'alternatives') conditions.lead(condition);
  if (found[0]!.by === 'record') return 0;
  const links = arena.allocate(LINKS.first + found.length * LINK.words);
  arena.words[links + LINKS.count] = found.length;
  for (const [i, { by, condition }] of found.entries()) {
    const link = links + LINKS.first + i * LINK.words;
    arena.words[link + LINK.test] = test;
    arena.words[link + LINK.links] = links;
    if (by === 'record') continue;
    if (by === 'ranges') addRange(memory, place, condition, link);
    else addLink(memory, place, { by, condition }, link);
    if (by !== 'absent') arena.words[place + PLACE[by]]!++;
  }
  return links;
}

export function unlinkEdge(memory: IndexMemory, place: number, test: number, links: number): void {
  const { arena, conditions } = memory;
  const found = finders(memory, test);
  for (const { by, condition } of found) if (by === 'record' || by === 'alternatives') conditions.unlead(condition);
  if (links === 0) return;
  for (const [i, { by, condition }] of found.entries()) {
    const link = links + LINKS.first + i * LINK.words;
    if (by === 'record') continue;
    if (by === 'ranges') removeRange(memory, place, condition, link);
    else removeLink(memory, place, { by, condition }, link);
    if (by !== 'absent') arena.words[place + PLACE[by]]!--;
  }
  arena.free(links, LINKS.first + found.length * LINK.words);
}

interface Finder {
  readonly by: 'record' | 'ranges' | 'alternatives' | 'broad' | 'absent';
  readonly condition: number;
}

function finders({ conditions }: IndexMemory, test: number): readonly Finder[] {
  const kind = conditions.kindOf(test);
  if (kind !== KIND.several) return [finderOf(kind, test, 'record')];
  const inner = conditions.listOf(test).map((each) => finderOf(conditions.kindOf(each), each, 'alternatives'));
  // A test that is asked each time because of one of its conditions need not be found by the others.
  const always = inner.find(({ by }) => by === 'absent') ?? inner.find(({ by }) => by === 'broad');
  return always === undefined ? inner : [{ by: always.by, condition: test }];
}

function finderOf(kind: number, condition: number, otherwise: 'record' | 'alternatives'): Finder {
  if (isCertain(kind) || isGuessed(kind)) return { by: otherwise, condition };
  if (kind === KIND.range) return { by: 'ranges', condition };
  return { by: kind === KIND.absent ? 'absent' : 'broad', condition };
}

function addRange(
  { arena, conditions, intervals, pairs }: IndexMemory,
  place: number,
  range: number,
  link: number,
): void {
  const path = conditions.pathOf(range).id;
  const { low, high } = conditions.boundsOf(range);
  const node = intervals.make(low, high, link);
  arena.words[link + LINK.previous] = node;
  pairs.set(place + AT.ranges, path, intervals.insert(pairs.get(place + AT.ranges, path), node));
}

function removeRange(
  { arena, conditions, intervals, pairs }: IndexMemory,
  place: number,
  range: number,
  link: number,
): void {
  const path = conditions.pathOf(range).id;
  const root = intervals.delete(pairs.get(place + AT.ranges, path), arena.words[link + LINK.previous]!);
  if (root === 0) pairs.delete(place + AT.ranges, path);
  else pairs.set(place + AT.ranges, path, root);
}

function addLink(memory: IndexMemory, place: number, finder: Finder, link: number): void {
  const { words } = memory.arena;
  const first = firstLink(memory, place, finder);
  words[link + LINK.next] = first;
  if (first !== 0) words[first + LINK.previous] = link;
  setFirstLink(memory, place, finder, link);
}

function removeLink(memory: IndexMemory, place: number, finder: Finder, link: number): void {
  const { words } = memory.arena;
  const next = words[link + LINK.next]!;
  const previous = words[link + LINK.previous]!;
  if (next !== 0) words[next + LINK.previous] = previous;
  if (previous === 0) setFirstLink(memory, place, finder, next);
  else words[previous + LINK.next] = next;
}

function firstLink({ arena, pairs, conditions }: IndexMemory, place: number, { by, condition }: Finder): number {
  if (by === 'absent') return arena.words[place + PLACE.absent]!;
  if (by === 'broad') return pairs.get(place + AT.broad, conditions.pathOf(condition).id);
  return pairs.get(place + AT.alternatives, condition);
}

function setFirstLink(memory: IndexMemory, place: number, { by, condition }: Finder, link: number): void {
  const { arena, pairs, conditions } = memory;
  if (by === 'absent') {
    arena.words[place + PLACE.absent] = link;
    return;
  }
  const [at, of] = by === 'broad' ? [AT.broad, conditions.pathOf(condition).id] : [AT.alternatives, condition];
  if (link === 0) pairs.delete(place + at, of);
  else pairs.set(place + at, of, link);
}

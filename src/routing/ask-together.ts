import type { Conditions } from './conditions.ts';
import type { PathNode } from './path-node.ts';
import { KIND } from './record-kind.ts';
import { textNotes } from './text-notes.ts';
import type { Wildcard } from './wildcard.ts';
import { WildcardCrowd } from './wildcard-crowd.ts';

/** Texts that wildcards read together: of an event few are as long, and each is asked for all of the wildcards. */
const LONG = 1_024;

/**
 * Has the long texts at a path read for all wildcards that lists of conditions have there, once wildcards have read much one by one: those of alternatives, and of what
 * is excluded, no text finds by itself, and each would read all of it.
 */
export function askTogether(conditions: Conditions, path: PathNode): void {
  if (path.wildcardLists === null || !textNotes.shouldAskTogether(path)) return;
  const texts = new Set(path.values.filter((value) => typeof value === 'string' && value.length >= LONG) as string[]);
  if (texts.size === 0) return;
  const wildcards = wildcardsIn(conditions, path.wildcardLists);
  const crowd = new WildcardCrowd([...wildcards.values()]);
  const written = [...wildcards.keys()];
  for (const text of texts) {
    for (const [i, answer] of crowd.matches(text).entries()) textNotes.note(text, written[i]!, answer);
  }
}

/** By what is written. */
function wildcardsIn(conditions: Conditions, lists: Iterable<number>): ReadonlyMap<string, Wildcard> {
  const wildcards = new Map<string, Wildcard>();
  for (const list of lists) {
    for (const record of conditions.listOf(list)) {
      if (conditions.kindOf(record) !== KIND.wildcard) continue;
      const { text, wildcard } = conditions.wildcardOf(record);
      wildcards.set(text, wildcard);
    }
  }
  return wildcards;
}

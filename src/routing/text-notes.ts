import { foldCase } from './fold-case.ts';
import { matchesWildcard, type Wildcard } from './wildcard.ts';

/** Texts of as many characters are noted: to find the notes of a shorter one takes as long as to read it. */
export const LONG = 64;
/** Characters that wildcards read one by one; where it would be more they read a text together. */
const READ_APART = 1_000_000;
/** Answers that are noted at most: an event may have thousands of long texts, and filters thousands of wildcards. */
const MOST_ANSWERS = 100_000;

interface Notes {
  folded: string | null;
  /** By the wildcard, as it is written; null before any was asked. */
  answers: Map<string, boolean> | null;
}

/** A wildcard as a condition has it. */
interface Written {
  readonly text: string;
  readonly wildcard: Wildcard;
}

/**
 * What was found out of the long texts of the event at hand: many conditions may ask the same of a text, and each would read all of it. To be forgotten with the event.
 */
class TextNotes {
  readonly #notes = new Map<string, Notes>();
  readonly #askedTogether = new Set<object>();
  #answers = 0;
  #readApart = 0;

  folded(text: string): string {
    if (text.length < LONG) return foldCase(text);
    const notes = this.#notesOf(text);
    notes.folded ??= foldCase(text);
    return notes.folded;
  }

  isLike(text: string, { text: written, wildcard }: Written): boolean {
    if (text.length < LONG) return matchesWildcard(wildcard, text);
    const notes = this.#notesOf(text);
    const known = notes.answers?.get(written);
    if (known !== undefined) return known;
    const answer = matchesWildcard(wildcard, text);
    this.#readApart += text.length;
    if (this.#answers++ < MOST_ANSWERS) note(notes, written, answer);
    return answer;
  }

  /** Whether all wildcards of a path should be asked together now: so much was read one by one. Once for an event. */
  shouldAskTogether(path: object): boolean {
    if (this.#readApart <= READ_APART || this.#askedTogether.has(path)) return false;
    this.#askedTogether.add(path);
    return true;
  }

  /** @param written the wildcard */
  note(text: string, written: string, answer: boolean): void {
    note(this.#notesOf(text), written, answer);
  }

  forget(): void {
    if (this.#notes.size === 0) return;
    this.#notes.clear();
    this.#askedTogether.clear();
    this.#answers = 0;
    this.#readApart = 0;
  }

  #notesOf(text: string): Notes {
    const known = this.#notes.get(text);
    if (known !== undefined) return known;
    const made: Notes = { folded: null, answers: null };
    this.#notes.set(text, made);
    return made;
  }
}

function note(notes: Notes, written: string, answer: boolean): void {
  notes.answers ??= new Map();
  notes.answers.set(written, answer);
}

/** Events are looked at one by one, each to its end. */
export const textNotes = new TextNotes();

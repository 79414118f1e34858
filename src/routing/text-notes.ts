import { foldCase } from './fold-case.ts';
import { matchesWildcard, type Wildcard } from './wildcard.ts';

/** Texts of as many characters are noted: to find the notes of a shorter one takes as long as to read it. */
export const LONG = 64;
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
  #answers = 0;

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
    if (this.#answers++ < MOST_ANSWERS) {
      notes.answers ??= new Map();
      notes.answers.set(written, answer);
    }
    return answer;
  }

  forget(): void {
    if (this.#notes.size === 0) return;
    this.#notes.clear();
    this.#answers = 0;
  }

  #notesOf(text: string): Notes {
    const known = this.#notes.get(text);
    if (known !== undefined) return known;
    const made: Notes = { folded: null, answers: null };
    this.#notes.set(text, made);
    return made;
  }
}

/** Events are looked at one by one, each to its end. */
export const textNotes = new TextNotes();

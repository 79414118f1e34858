import { foldCase } from './fold-case.ts';
import type { ListedWildcards, WildcardCondition } from './listed-wildcards.ts';
import { matchSteps } from './match-steps.ts';
import { matchesWildcard } from './wildcard.ts';
import type { CrowdAnswers } from './wildcard-crowd.ts';

/** Texts of as many characters are noted: to find the notes of a shorter one takes as long as to read it. */
export const LONG = 64;
/** To ask a wildcard of a text, in steps of `matchSteps`, and how many units it reads in one, in one (2, as a power of 2); each that is folded is one. */
const WILDCARD_STEPS = 8;
const READ_A_STEP = 1;
/** Answers that are noted at most: an event may have thousands of long texts, and filters thousands of wildcards. */
const MOST_ANSWERS = 100_000;
/** Answers of a crowd that take as much memory as one that is noted by itself: a byte each. */
const CROWD_ANSWERS = 32;
/** To make a unit of a wildcard into a state takes as long as to read so many units of text (measured: 60, and it is made once for many events). */
const READ_FOR_A_STATE = 32;
/** Units of wildcards that are made into states at most: to find out that it is worth that, and to make them, takes what one event may take; and 25 MB. */
const MOST_STATES = 750_000;

interface Notes {
  folded: string | null;
  /** By the wildcard, as it is written; null before any was asked. */
  answers: Map<string, boolean> | null;
  /** What wildcards found out of it that read it together. */
  together: CrowdAnswers | null;
  /** Units of it that wildcards read one by one, since it was last read together. */
  readApart: number;
}

/**
 * What was found out about the long texts of the event that is being matched: many conditions may ask the same of a text, and each would
 * read all of it. The notes are to be forgotten with the event (`forget`).
 */
class TextNotes {
  readonly #notes = new Map<string, Notes>();
  /** What wildcards read one by one, in units of texts. */
  readonly #apart = { units: 0 };
  /** So much of that is set against crowds that were made. */
  #spent = 0;
  #answers = 0;

  folded(text: string): string {
    if (text.length < LONG) return foldCase(text);
    const notes = this.#notesOf(text);
    if (notes.folded === null) {
      matchSteps.take(text.length);
      notes.folded = foldCase(text);
    }
    return notes.folded;
  }

  /** @param beside the wildcards that it is listed among, if it is */
  isLike(text: string, { text: written, wildcard }: WildcardCondition, beside: ListedWildcards | null): boolean {
    matchSteps.take(WILDCARD_STEPS);
    if (text.length < LONG) return matchesWildcard(wildcard, text);
    const notes = this.#notesOf(text);
    const known = notes.answers?.get(written) ?? notes.together?.answerOf(written);
    if (known !== undefined) return known;
    if (beside !== null && this.#readTogether(text, notes, beside)) {
      const answer = notes.together?.answerOf(written);
      if (answer !== undefined) return answer;
    }
    const before = this.#apart.units;
    const answer = matchesWildcard(wildcard, text, this.#apart);
    const units = this.#apart.units - before;
    notes.readApart += units;
    matchSteps.take(units >>> READ_A_STEP);
    if (this.#answers++ < MOST_ANSWERS) note(notes, written, answer);
    return answer;
  }

  forget(): void {
    if (this.#notes.size === 0) return;
    this.#notes.clear();
    this.#apart.units = 0;
    this.#spent = 0;
    this.#answers = 0;
  }

  /**
   * Reads a text for all listed wildcards together, once that is worth it. Nobody knows how many of the wildcards are still to be asked, or
   * of which texts: the asking ends at a value that the list does not exclude. So a crowd is made only after wildcards have read as much
   * one by one as making it costs, and it reads a text only after they have read as much of that text as the crowd would. If that was in
   * vain after all, it took a small multiple of the time without it.
   * @returns whether the text was read together
   */
  #readTogether(text: string, notes: Notes, beside: ListedWildcards): boolean {
    if (notes.readApart < text.length) return false;
    const crowd = beside.crowd ?? this.#makeCrowd(beside);
    if (crowd === null || notes.readApart < crowd.stepsFor(text)) return false;
    const answers = Math.ceil(crowd.size / CROWD_ANSWERS);
    if (this.#answers + answers > MOST_ANSWERS) return false;
    this.#answers += answers;
    notes.readApart = 0;
    notes.together = crowd.answersFor(text);
    return true;
  }

  #makeCrowd(beside: ListedWildcards) {
    const cost = beside.units * READ_FOR_A_STATE;
    if (beside.units > MOST_STATES || this.#apart.units - this.#spent < cost) return null;
    this.#spent += cost;
    return beside.makeCrowd();
  }

  #notesOf(text: string): Notes {
    const known = this.#notes.get(text);
    if (known !== undefined) return known;
    const made: Notes = { folded: null, answers: null, together: null, readApart: 0 };
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

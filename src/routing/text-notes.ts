import { foldCase } from './fold-case.ts';
import type { ListedWildcards, WildcardCondition } from './listed-wildcards.ts';
import { matchSteps } from './match-steps.ts';
import { matchesWildcard } from './wildcard.ts';
import type { CrowdAnswers } from './wildcard-crowd.ts';

/** From so many characters on notes are kept of a text: to look up the notes of a shorter one takes as long as to read it. */
export const LONG = 64;
/**
 * How many steps of `matchSteps` it takes to ask a wildcard of a text, and how many units the wildcard reads in one step (2, given as a
 * power of 2). To fold a unit takes one step.
 */
const WILDCARD_STEPS = 8;
const READ_A_STEP = 1;
/** The most answers that are noted: an event may have thousands of long texts, and filters thousands of wildcards. */
const MOST_ANSWERS = 100_000;
/** So many answers of a crowd take as much memory as one that is noted by itself: each is a byte. */
const CROWD_ANSWERS = 32;
/**
 * To make a unit of a wildcard into a state counts as much as to read so many units of text. Measured were 60, but the states serve many
 * events.
 */
const READ_FOR_A_STATE = 32;
/**
 * The most units of wildcards that are made into states. To find out that it is worth it, and to make them, takes as long as one event may
 * take, and they have 25 MB.
 */
const MOST_STATES = 750_000;

interface Notes {
  folded: string | null;
  /** By the wildcard, as it is written; null before any was asked. */
  answers: Map<string, boolean> | null;
  /** What was found when wildcards read the text together; null before that. */
  together: CrowdAnswers | null;
  /** Units of the text that wildcards have read one by one since they last read it together. */
  readApart: number;
}

/**
 * What was found out about the long texts of the event that is being matched: many conditions may ask the same of a text, and each would
 * read all of it. The notes are to be forgotten with the event (`forget`).
 */
class TextNotes {
  readonly #notes = new Map<string, Notes>();
  /** Units of all texts that wildcards have read one by one. */
  readonly #apart = { units: 0 };
  /** How many of these were set against the cost of crowds that were made. */
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

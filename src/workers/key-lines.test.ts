import { expect, test } from 'vitest';
import type { OrderPlace } from '../store/mailbox.ts';
import { KeyLines } from './key-lines.ts';
import type { Letter } from './letter-queue.ts';

const place = (seq: number, behindSeq: number | null = null, key = 1): OrderPlace => ({
  key,
  seq,
  behindSeq,
  isPaused: false,
});
const letter = (seq: number) => ({ seq }) as unknown as Letter;

/** Lines, and the letters that they were given by their numbers. */
function linesOf(...places: readonly OrderPlace[]) {
  const lines = new KeyLines();
  const letters = new Map(places.map(({ seq }) => [seq, letter(seq)]));
  const standings = places.map((each) => lines.admit(letters.get(each.seq)!, each));
  return { lines, letters, standings };
}

test('the first of a key goes, those whose predecessor is here wait, all others stay in the table', () => {
  const { standings, lines } = linesOf(place(1), place(2, 1), place(9, 7), place(3, null, 2));
  expect(standings).toEqual(['go', 'wait', 'behind', 'go']);
  expect(lines.waiting).toBe(1);
});

test('of a paused key nothing goes', () => {
  expect(new KeyLines().admit(letter(1), { ...place(1), isPaused: true })).toBe('behind');
});

test('when one has ended the next one goes, and when none is left here the table is asked', () => {
  const { lines, letters } = linesOf(place(1), place(2, 1));
  expect(lines.ended(place(1))).toEqual({ freed: letters.get(2), behind: [], asksTable: false });
  expect(lines.ended(place(2))).toEqual({ freed: null, behind: [], asksTable: true });
  expect(lines.waiting).toBe(0);
});

test('one that is tried again later sends those behind it back, and no others', () => {
  const { lines, letters } = linesOf(place(1), place(2, 1), place(4, 2), place(3, null, 2));
  expect(lines.left(place(1))).toEqual({
    freed: null,
    behind: [letters.get(2), letters.get(4)],
    asksTable: false,
  });
  expect(lines.waiting).toBe(0);
  expect(lines.ended(place(3, null, 2)).asksTable).toBe(true);
});

test('two that stood behind the same one, because what was between them is gone, go one after the other', () => {
  const { lines, letters } = linesOf(place(1), place(2, 1), place(6, 1));
  expect(lines.ended(place(1)).freed).toBe(letters.get(2));
  expect(lines.ended(place(2)).freed).toBe(letters.get(6));
});

test('when a middle row of a key is gone, the next still waits for the one before', () => {
  const { lines, letters } = linesOf(place(1), place(2, 1), place(3, 2));
  expect(lines.ended(place(2)).freed).toBeNull();
  expect(lines.ended(place(1)).freed).toBe(letters.get(3));
});

test('while a letter is going, an earlier one that became visible late waits for it', () => {
  const { lines, letters, standings } = linesOf(place(5), place(4));
  expect(standings).toEqual(['go', 'wait']);
  expect(lines.ended(place(5)).freed).toBe(letters.get(4));
});

test('when the letter that is going is retried later, one that became visible late goes back with the others: nothing else would wake it', () => {
  const { lines, letters, standings } = linesOf(place(11), place(10), place(12, 11));
  expect(standings).toEqual(['go', 'wait', 'wait']);
  expect(lines.left(place(11)).behind).toEqual([letters.get(10), letters.get(12)]);
  expect(lines.waiting).toBe(0);
  const again = letter(10);
  expect(lines.admit(again, place(10))).toBe('go');
  expect(lines.admit(letter(11), place(11, 10))).toBe('wait');
  expect(lines.ended(place(10)).asksTable).toBe(false);
});

test('a row that became visible late and is not admitted sends back those behind it, and none behind it is admitted until the table was asked', () => {
  const { lines, letters } = linesOf(place(11), place(12, 11));
  expect(lines.passedOver(place(10))).toEqual([letters.get(12)]);
  expect(lines.admit(letter(13), place(13, 11))).toBe('behind');
  expect(lines.admit(letter(10), place(10))).toBe('wait');
  expect(lines.ended(place(11)).freed).not.toBeNull();
  expect(lines.admit(letter(12), place(12, 10))).toBe('behind');
  expect(lines.ended(place(10)).asksTable).toBe(true);
  expect(lines.admit(letter(12), place(12))).toBe('go');
  expect(lines.admit(letter(13), place(13, 12))).toBe('wait');
});

test('a row not admitted behind all others of its key sends none of them back', () => {
  const { lines } = linesOf(place(1), place(2, 1));
  expect(lines.passedOver(place(3, 2))).toEqual([]);
  expect(lines.passedOver(place(3, null, 2))).toEqual([]);
  expect(lines.admit(letter(3), place(3, 2))).toBe('wait');
});

test('what may not go yet can be taken out, and what is going stays', () => {
  const { lines, letters } = linesOf(place(1), place(2, 1), place(3, 2));
  expect(lines.takeWaiting()).toEqual([letters.get(2), letters.get(3)]);
  expect(lines.waiting).toBe(0);
  expect(lines.ended(place(1)).asksTable).toBe(true);
});

test('the end of one that is not here asks the table', () => {
  expect(new KeyLines().ended(place(1))).toEqual({ freed: null, behind: [], asksTable: true });
});

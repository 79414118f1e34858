import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nestingDepth } from '../domain/json-slices.ts';
import { LONGEST_ESCAPE, MAX_FIELDS, surveyEvents } from './survey-events.ts';

const LIMITS = { maxEvents: 3, maxEventBytes: 20 };
const MAX_DEPTH = 3;

const survey = (text: string) => surveyEvents(text, MAX_DEPTH, LIMITS);

function objectOf(fields: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: fields }, (_, i) => [`f${i}`, i]));
}

const value = fc.oneof(
  fc.string({ minLength: 110, maxLength: 130 }),
  fc.constantFrom([[[1]]], [[[[1]]]], { a: { b: { c: 1 } } }, { a: { b: { c: [1] } } }),
  fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text) as unknown),
  fc.array(
    fc.json({ maxDepth: 1 }).map((text) => JSON.parse(text) as unknown),
    { maxLength: 6 },
  ),
  fc.array(fc.integer({ min: MAX_FIELDS - 1, max: MAX_FIELDS + 1 }).map(objectOf), { maxLength: 3 }),
  fc.integer({ min: MAX_FIELDS - 1, max: MAX_FIELDS + 1 }).map(objectOf),
);

test('what is found before parsing is what parsing finds, however the text is spaced', () => {
  const found = { depth: 0, count: 0, fields: 0, characters: 0, nothing: 0 };
  const property = fc.property(value, fc.constantFrom(undefined, 1, '\t'), (json, space) => {
    const text = JSON.stringify(json, null, space);
    const { isTooDeep, isArray, count, rejected } = survey(text);
    const events = Array.isArray(json) ? json : [json];
    expect(isArray).toBe(Array.isArray(json));
    const hasTooMany = count > LIMITS.maxEvents;
    if (isTooDeep) found.depth++;
    if (hasTooMany) found.count++;
    // It ends at what it comes upon first.
    if (!hasTooMany) expect(isTooDeep).toBe(nestingDepth(text, MAX_DEPTH) > MAX_DEPTH);
    if (!isTooDeep) expect(hasTooMany).toBe(events.length > LIMITS.maxEvents);
    if (isTooDeep || hasTooMany) return;
    for (const [i, event] of events.entries()) {
      const why = isObject(event) && Object.keys(event).length > MAX_FIELDS ? 'fields' : lengthProblem(event);
      if (why !== 'either') expect(rejected.has(i)).toBe(why !== 'nothing');
      if (why !== 'either') found[why]++;
    }
  });
  fc.assert(property, { numRuns: 5_000 });
  // Otherwise nothing was compared.
  for (const times of Object.values(found)) expect(times).toBeGreaterThan(20);
});

function isObject(event: unknown): event is object {
  return typeof event === 'object' && event !== null && !Array.isArray(event);
}

/** The comma or bracket behind an event counts as well. */
function lengthProblem(event: unknown): 'characters' | 'nothing' | 'either' {
  const { length } = JSON.stringify(event);
  const isLarge = (characters: number) => Math.floor(characters / LONGEST_ESCAPE) > LIMITS.maxEventBytes;
  if (isLarge(length)) return 'characters';
  return isLarge(length + 1) ? 'either' : 'nothing';
}

test('it ends at the first event too many, and at the first level too deep', () => {
  expect(survey('[1,2,3,4,5,6,[[[[')).toMatchObject({ isTooDeep: false, count: 4 });
  expect(survey('[[[[1,2,3,4,5')).toMatchObject({ isTooDeep: true });
});

test('an element that is no object has no fields', () => {
  const many = Array.from({ length: MAX_FIELDS + 1 }, () => 1).join(',');
  expect(survey(`[[${many}]]`).rejected.get(0)).toMatchObject({ rejection: { code: 'too_large' } });
  expect(surveyEvents(`[[${many}]]`, MAX_DEPTH, { maxEvents: 3, maxEventBytes: 1_000 }).rejected.size).toBe(0);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayElements, nestingDepth, objectMembers } from './json-slices.ts';

/** A JSON value in two spellings: with white space anywhere that it may stand, and without. */
interface Written {
  readonly spaced: string;
  readonly bare: string;
  readonly depth: number;
}

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 });
const letter = fc.constantFrom(
  'a',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\n',
  'é',
  '\u2028',
  '\ud83d\ude00',
  '\ud800',
  '/',
);

/** One character of a string as a producer may write it: as it is, or escaped in one of several ways. */
const spelledLetter = fc.tuple(letter, fc.boolean(), fc.boolean()).map(([text, isEscaped, isUpper]) => {
  if (!isEscaped) return JSON.stringify(text).slice(1, -1);
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, '0'));
  return units.map((unit) => `\\u${isUpper ? unit.toUpperCase() : unit}`).join('');
});
const spelledString = fc.array(spelledLetter, { maxLength: 6 }).map((letters) => `"${letters.join('')}"`);

const scalar = fc
  .oneof(
    spelledString,
    fc.constantFrom('1.10', '-0', '1e5', '1E+05', '9007199254740993', '-0.0', '0', 'true', 'false', 'null', '1e-7'),
  )
  .map((text): Written => ({ spaced: text, bare: text, depth: 0 }));

const joined = (parts: readonly Written[], open: string, close: string): Written => ({
  spaced: `${open}${parts.map((part) => part.spaced).join(',')}${close}`,
  bare: `${open}${parts.map((part) => part.bare).join(',')}${close}`,
  depth: 1 + Math.max(0, ...parts.map((part) => part.depth)),
});

const padded = (text: string, [before, after]: readonly [string, string]) => before + text + after;
const padding = fc.tuple(space, space);

function arrayOf(element: fc.Arbitrary<Written>) {
  return fc.array(fc.tuple(element, padding), { maxLength: 4 });
}

function objectOf(element: fc.Arbitrary<Written>) {
  return fc.array(fc.tuple(fc.oneof(spelledString, fc.constant('"again"')), element, padding, padding), {
    maxLength: 4,
  });
}

type Elements = readonly (readonly [Written, [string, string]])[];
type Members = readonly (readonly [string, Written, [string, string], [string, string]])[];

const asArray = (elements: Elements) =>
  joined(
    elements.map(([part, around]) => ({ ...part, spaced: padded(part.spaced, around) })),
    '[',
    ']',
  );

const asObject = (members: Members) =>
  joined(
    members.map(([name, part, aroundName, around]) => ({
      spaced: `${padded(name, aroundName)}:${padded(part.spaced, around)}`,
      bare: `${name}:${part.bare}`,
      depth: part.depth,
    })),
    '{',
    '}',
  );

const { value } = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    arrayOf(tie('value')).map(asArray),
    objectOf(tie('value')).map(asObject),
  ),
}));

test('members come back in order, repeated names included, as they were written but for white space', () => {
  const property = fc.property(objectOf(value), padding, (members, around) => {
    const { spaced } = asObject(members);
    const expected = members.map(([name, part]) => ({ name: JSON.parse(name) as string, text: part.bare }));
    expect(objectMembers(padded(spaced, around))).toEqual(expected);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('elements come back in order, each as it was written', () => {
  const property = fc.property(arrayOf(value), padding, (elements, around) => {
    const { spaced } = asArray(elements);
    expect(arrayElements(padded(spaced, around))).toEqual(elements.map(([part]) => part.spaced));
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('the generated texts are JSON, so that the tests above are about what the reader is given', () => {
  const property = fc.property(value, ({ spaced, bare }) => {
    expect(JSON.parse(spaced)).toEqual(JSON.parse(bare));
  });
  fc.assert(property);
});

test('the nesting depth of JSON is that of its values, brackets in strings not counted', () => {
  const property = fc.property(value, ({ spaced, depth }) => {
    expect(nestingDepth(spaced, 100)).toBe(depth);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('numbers keep digits that a double does not have', () => {
  const text = '{"a": 9007199254740993, "b": [1.10, -0, 1e5] }';
  expect(objectMembers(text)).toEqual([
    { name: 'a', text: '9007199254740993' },
    { name: 'b', text: '[1.10,-0,1e5]' },
  ]);
});

test('any text has a nesting depth, never more than a step past the limit', () => {
  const garbage = fc.string({
    unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ' ', 'x', '\ud800'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(garbage, fc.integer({ min: 0, max: 10 }), (text, limit) => {
      const depth = nestingDepth(text, limit);
      expect(depth).toBeGreaterThanOrEqual(0);
      expect(depth).toBeLessThanOrEqual(limit + 1);
    }),
    { numRuns: 2_000 },
  );
});

test('a text that would overflow the stack of JSON.parse is told by its depth alone', () => {
  expect(nestingDepth('['.repeat(1_000_000), 100)).toBe(101);
  expect(nestingDepth(`${'['.repeat(100)}${']'.repeat(100)}`, 100)).toBe(100);
});

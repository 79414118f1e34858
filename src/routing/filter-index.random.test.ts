import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { Conditions } from './conditions.ts';
import { parseExactly } from './exact-number.ts';
import { explainMatch } from './explain-match.ts';
import { FilterIndex } from './filter-index.ts';
import { referenceMatch } from './fixtures/reference-match.ts';
import { TooCostlyToMatch } from './match-steps.ts';
import { readFilter } from './read-filter.ts';

const text = fc.constantFrom(
  '',
  'a',
  'b',
  'ab',
  'aB',
  'abc',
  'ba',
  'bab',
  'Ä',
  'ä',
  'a*b',
  '10.0.0.1',
  '10.1.0.1',
  '::1',
  '2001:db8::5',
);
const shortText = fc.constantFrom('a', 'b', 'ab', 'B', 'ba', 'ä');
const number = fc.constantFrom(0, 1, -1, 2, 10, 0.1, 1.5, 9007199254740992);
/** Numbers as a producer may write them. */
const numberText = fc.constantFrom(
  ...['0', '1', '1.0', '1e0', '-1', '2', '10', '1e1', '0.1', '0.10000000000000001', '1.5'],
  ...['9007199254740992', '9007199254740993', '1e400', '-1e400', '1e-400', '-0', '100e-2'],
);
const wildcard = fc.constantFrom('*', 'a*', '*b', 'a*b', '*a*', 'b*b', 'a\\*b', '*\\**', 'a*b*c', 'ab');
const cidr = fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '10.0.0.1/32', '::/0', '2001:db8::/32', '0.0.0.0/0');

const bound = fc.constantFrom('>', '>=');
const top = fc.constantFrom('<', '<=');
const numeric = fc.oneof(
  fc.tuple(fc.constantFrom('=', '<', '<=', '>', '>='), number),
  fc.tuple(bound, fc.constantFrom(-1, 0, 0.1), top, fc.constantFrom(1, 2, 10, 9007199254740992)),
);
const oneOrMore = (values: fc.Arbitrary<unknown>) => fc.oneof(values, fc.array(values, { minLength: 1, maxLength: 3 }));
const condition: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: number },
  fc.constantFrom(null, true, false),
  fc.record({ exactly: text }),
  fc.record({ prefix: fc.oneof(shortText, fc.record({ 'equals-ignore-case': shortText })) }),
  fc.record({ suffix: fc.oneof(shortText, fc.record({ 'equals-ignore-case': shortText })) }),
  fc.record({ 'equals-ignore-case': text }),
  fc.record({ wildcard }),
  fc.record({ numeric }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ cidr }),
  fc.record({ 'anything-but': fc.oneof(oneOrMore(text), oneOrMore(number)) }),
  fc.record({ 'anything-but': fc.record({ prefix: oneOrMore(shortText) }) }),
  fc.record({ 'anything-but': fc.record({ suffix: oneOrMore(shortText) }) }),
  fc.record({ 'anything-but': fc.record({ wildcard: oneOrMore(wildcard) }) }),
  fc.record({ 'anything-but': fc.record({ 'equals-ignore-case': oneOrMore(shortText) }) }),
);

const name = fc.constantFrom('x', 'y', 'z');
const conditions = fc.array(condition, { minLength: 1, maxLength: 3 });
const fields = (value: fc.Arbitrary<unknown>, names: fc.Arbitrary<string> = name) =>
  fc.dictionary(names, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
const shallow = fields(conditions);
const or = (alternative: fc.Arbitrary<unknown>) => fc.array(alternative, { minLength: 2, maxLength: 3 });
const filter = fc.oneof(
  { weight: 3, arbitrary: shallow },
  { weight: 3, arbitrary: fields(fc.oneof(conditions, shallow)) },
  { weight: 1, arbitrary: fields(conditions, fc.constantFrom('x', 'x.y', 'y.x')) },
  {
    weight: 1,
    arbitrary: fc.record({
      x: conditions,
      $or: or(fc.oneof(fields(conditions, fc.constantFrom('y', 'z')), fc.record({ y: shallow }))),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      y: fc.record({ $or: or(fc.oneof(shallow, fc.record({ x: conditions, $or: or(fc.record({ z: conditions })) }))) }),
    }),
  },
);

/** JSON text, so that numbers keep their spelling. */
const leaf = fc.oneof(
  text.map((value) => JSON.stringify(value)),
  numberText,
  fc.constantFrom('null', 'true', 'false'),
);
const objectText = (value: fc.Arbitrary<string>, names: fc.Arbitrary<string> = name) =>
  fc.dictionary(names, value, { maxKeys: 3 }).map(
    (object) =>
      `{${Object.entries(object)
        .map(([key, inner]) => `${JSON.stringify(key)}:${inner}`)
        .join()}}`,
  );
const arrayText = (value: fc.Arbitrary<string>) => fc.array(value, { maxLength: 3 }).map((list) => `[${list.join()}]`);
const level1 = fc.oneof({ weight: 3, arbitrary: leaf }, arrayText(leaf));
const level2 = fc.oneof(
  { weight: 2, arbitrary: level1 },
  objectText(level1),
  arrayText(fc.oneof(leaf, objectText(level1), arrayText(objectText(leaf)))),
);
const event = fc.oneof(
  { weight: 4, arbitrary: objectText(level2) },
  { weight: 1, arbitrary: objectText(level1, fc.constantFrom('x', 'x.y', 'y.x', 'y')) },
);

/** Begins to match an event, and gives it up. @returns whether it did */
function giveUp(index: FilterIndex, event: unknown, steps: number): boolean {
  try {
    index.match(event, steps);
    return false;
  } catch (error) {
    if (error instanceof TooCostlyToMatch) return true;
    throw error;
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

const FILTERS = 40;
const EVENTS = 12;

test('the index answers as the plain reading of every filter does, while filters come and go and events are given up halfway', () => {
  let pairs = 0;
  let matches = 0;
  let givenUp = 0;
  // For every other event lists are asked as where there are too many of them.
  let hasRoom = true;
  vi.spyOn(Conditions.prototype, 'hasRoomFor').mockImplementation(() => hasRoom);
  fc.assert(
    fc.property(
      fc.array(filter, { minLength: FILTERS, maxLength: FILTERS }),
      fc.array(fc.tuple(event, fc.array(fc.nat(FILTERS - 1), { maxLength: 10 }), fc.nat(300)), {
        minLength: EVENTS,
        maxLength: EVENTS,
      }),
      (filters, steps) => {
        // So few marks that they begin anew all the time.
        const index = new FilterIndex(3);
        const present = new Map<number, readonly number[]>();
        const clauses = filters.map((one) => {
          const reading = readFilter(one);
          if (!reading.ok) throw new Error(`${JSON.stringify(one)}: ${JSON.stringify(reading.faults)}`);
          return reading.clauses;
        });
        const toggle = (num: number) => {
          const there = present.get(num);
          if (there === undefined) {
            present.set(
              num,
              clauses[num]!.map((clause) => index.add(num, clause)),
            );
          } else {
            for (const clause of there) index.remove(clause);
            present.delete(num);
          }
        };
        for (let num = 0; num < FILTERS; num += 1) toggle(num);
        for (const [eventText, toggled, mostSteps] of steps) {
          for (const num of toggled) toggle(num);
          const parsed = parseExactly(eventText);
          hasRoom = !hasRoom;
          // What was given up halfway leaves nothing behind.
          if (giveUp(index, parsed, mostSteps)) givenUp++;
          const found = index.match(parsed);
          const wanted = [...present.keys()]
            .filter((num) => referenceMatch(filters[num], eventText))
            .sort((a, b) => a - b);
          if (found.join() !== wanted.join()) {
            const odd = [...new Set([...found, ...wanted])].filter(
              (num) => !found.includes(num) || !wanted.includes(num),
            );
            expect.fail(
              `${eventText}: ${odd.map((num) => JSON.stringify(filters[num])).join(' ')}, found ${found}, wanted ${wanted}`,
            );
          }
          // Explanations are made the same way for each: some are enough.
          for (const num of [...present.keys()].filter((one) => one % 4 === 0))
            expect(explainMatch(clauses[num]!, parsed).length === 0).toBe(found.includes(num));
          pairs += present.size;
          matches += found.length;
        }
        for (const there of present.values()) for (const clause of there) index.remove(clause);
        expect(index.match(parseExactly(steps[0]![0]))).toEqual([]);
      },
    ),
    { numRuns: 345 },
  );
  expect(pairs).toBeGreaterThan(100_000);
  expect(givenUp).toBeGreaterThan(1_000);
  // One in twenty or so.
  expect(matches / pairs).toBeGreaterThan(0.02);
});

/** Of fields of `x.y`, which the event spells in two ways or in one, with arrays at either level. */
const twice = {
  filter: fields(fc.constantFrom([1], [2], [{ exists: false }], [1, { exists: false }], [{ numeric: ['>', 1] }])).map(
    (inner) => ({ x: { y: inner } }),
  ),
  event: (() => {
    const item = objectText(fc.constantFrom('1', '2', '[1,2]'));
    const items = fc.oneof({ weight: 3, arbitrary: arrayText(item) }, item, arrayText(arrayText(item)));
    const y = items.map((one) => `{"y":${one}}`);
    const x = fc.oneof({ weight: 3, arbitrary: y }, arrayText(y));
    return fc.tuple(x, items).map(([apart, joined]) => `{"x":${apart},"x.y":${joined}}`);
  })(),
};

test('of arrays whose path an event spells with dots and without, an element of each may be chosen', () => {
  let found = 0;
  fc.assert(
    fc.property(fc.array(twice.filter, { minLength: 10, maxLength: 10 }), twice.event, (filters, eventText) => {
      const index = new FilterIndex();
      const clauses = filters.map((one) => {
        const reading = readFilter(one);
        return reading.ok ? reading.clauses : expect.fail(JSON.stringify(one));
      });
      for (const [num, each] of clauses.entries()) for (const clause of each) index.add(num, clause);
      const event = parseExactly(eventText);
      const matched = index.match(event);
      const wanted = [...filters.keys()].filter((num) => referenceMatch(filters[num], eventText));
      expect({ filters, eventText, matched }).toEqual({ filters, eventText, matched: wanted });
      const explained = [...filters.keys()].filter((num) => explainMatch(clauses[num]!, event).length === 0);
      expect(explained).toEqual(wanted);
      found += wanted.length;
    }),
    { numRuns: 1_000 },
  );
  expect(found).toBeGreaterThan(1_000);
});

import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { LinearPattern, OutOfFuel } from './linear-pattern.ts';

/** Patterns over a small alphabet, so that they match now and then. */
const pattern = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\s',
      '^',
      '$',
      '€',
      '\\u{1F600}',
      '\\ud83d\\uDE00',
      '\\uD83D',
      '[\\ud83d\\ude00]',
      '\\n',
      '[\\]a-]',
      '',
    ),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => a + b),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(?:${a}|${b})`),
    fc
      .tuple(tie('any'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?', '{0}'))
      .map(([a, quantifier]) => `(${a})${quantifier}`),
  ),
})).any;

const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '\n', '€', '😀', '-', '\ud83d'), maxLength: 8 });

/**
 * By the flag `v`, which means the same here once `-` is escaped: with `u`, Node 26 says that `[^a]$` does not match a character of two
 * code units. Expressions that begin with `^`, as all of ours do, are right by either.
 */
const engine = (source: string) => new RegExp(source.replaceAll('[\\]a-]', '[\\]a\\-]'), 'v');

test('a pattern matches exactly what the engine says', () => {
  let matched = 0;
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 3, maxLength: 6 }), (source, texts) => {
      const [ours, theirs] = [new LinearPattern(source), engine(source)];
      for (const each of texts) {
        expect([source, each, ours.test(each)]).toEqual([source, each, theirs.test(each)]);
        if (theirs.test(each)) matched++;
      }
    }),
    { numRuns: 1_000 },
  );
  expect(matched).toBeGreaterThan(200);
});

test.each([
  ['$^', '', true],
  ['$^', 'a', false],
  ['^a{2,}$', 'aaaa', true],
  ['^a{2,}$', 'a', false],
  ['^a{2,3}$', 'aaaa', false],
  ['^a/b$', 'a/b', true],
])('%s on %j: %s', (source, text, expected) => {
  expect(new LinearPattern(source).test(text)).toBe(expected);
});

test('states of many steps are not taken for each other', () => {
  const source =
    '^(?:(?:a)?ba|[ab]a(?:[ab])?)[ab]baa(?:(?:a)?){0,2}(?:[ab]b[ab]a(?:(?:b)+|(?:a)+)|(?:(?:bb)+|a[ab]ab))$';
  const [ours, theirs] = [new LinearPattern(source), new RegExp(source, 'u')];
  for (let bits = 1; bits < 2 ** 13; bits++) {
    const text = bits.toString(2).slice(1).replaceAll('0', 'a').replaceAll('1', 'b');
    expect([text, ours.test(text)]).toEqual([text, theirs.test(text)]);
  }
});

test('two escapes that are one character are one', () => {
  const pair = new LinearPattern('^(\\ud83d\\ude00){2}$');
  expect(['😀😀', '😀', '\ud83d\ud83d'].map((each) => pair.test(each))).toEqual([true, false, false]);
});

test.each([
  ['^(a+)+$', 'a'.repeat(100_000), '!'],
  ['^(a|a)*$', 'a'.repeat(100_000), '!'],
  ['(a*)*b', 'a'.repeat(100_000), ''],
  ['^(a|b)*a(a|b){40}c$', 'ab'.repeat(50_000), ''],
  ['(?:a?){50}a{50}$', 'a'.repeat(100_000), '!'],
])(
  'what makes an engine that goes back take for ever costs a bounded number of steps for each character: %s',
  (source, body, end) => {
    const fuel = { left: 0 };
    const tried = new LinearPattern(source, fuel);
    fuel.left = (body.length + 10) * tried.size;
    expect(tried.test(body + end)).toBe(false);
  },
);

test('a match that needs more work than is allowed is given up', () => {
  const tried = new LinearPattern('^[ab]*c$', { left: 1_000 });
  expect(() => tried.test('ab'.repeat(10_000))).toThrow(OutOfFuel);
});

const different = (count: number, start = 0x10000) =>
  Array.from({ length: count }, (_, i) => String.fromCodePoint(start + i)).join('');

test('a character that is known costs one unit where it is of ASCII and eight where not, others by the tests and steps that are tried on them', () => {
  const fuel = { left: 10_000_000 };
  const tried = new LinearPattern('^(?:[^a]{30}a?)*$', fuel);
  const costOf = (text: string) => {
    const before = fuel.left;
    tried.test(text);
    return before - fuel.left;
  };
  costOf(`${different(60)}b`);
  // Others of a class that was met already: of the two tests of the pattern one is for a single character, and costs nothing.
  expect(costOf(different(150, 0x20000))).toBe(150 * (16 + 8));
  expect(costOf(different(150, 0x20000))).toBe(150 * 8);
  costOf('c');
  expect(costOf('c'.repeat(1_000))).toBe(1_000);
  // A text that takes a pattern where it never was.
  expect(costOf('aab')).toBeGreaterThan(2 * 100);
});

test.each([
  ["^[A-Za-z0-9 .,'-]{1,200}$", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,'-"],
  ['^[^\\s@]{1,64}@[^\\s@]{1,64}\\.[a-z]{2,20}$', 'abcdefghijklmnopqrstuvwxyz0123456789._+-'],
  ['^[\\p{L} ]{1,200}$', different(3_000, 0x4e00)],
])(
  'what is in a text makes no difference to what is found of %s, as far as its classes do not: good texts that nobody saw before cost what known ones do',
  (source, alphabet) => {
    const fuel = { left: 10_000_000 };
    const tried = new LinearPattern(source, fuel);
    const chars = [...alphabet];
    const textOf = (i: number) =>
      Array.from({ length: 60 }, (_, at) => chars[(i * 131 + at * 37) % chars.length]).join('');
    const textFor = (i: number) => (source.includes('@') ? `${textOf(i)}@${textOf(i + 1)}.example` : textOf(i));
    for (let i = 0; i < 20; i++) tried.test(textFor(i));
    const [before, kept] = [fuel.left, tried.kept];
    for (let i = 20; i < 60; i++) tried.test(textFor(i));
    expect(tried.kept - kept).toBeLessThan(600);
    expect((before - fuel.left) / 40).toBeLessThan(60 * 60);
  },
);

test('characters that a pattern never met are told apart at their cost, each when it comes first (G4)', () => {
  const fuel = { left: 10_000_000 };
  const classes = Array.from({ length: 100 }, (_, i) => `[${different(2, 0x4e00 + 2 * i)}]`);
  const tried = new LinearPattern(classes.join(''), fuel);
  const costOf = (text: string) => {
    const before = fuel.left;
    tried.test(text);
    return before - fuel.left;
  };
  expect(costOf('aa')).toBeGreaterThanOrEqual(100 * 16);
  expect(costOf('aa')).toBe(2);
  expect(costOf('b')).toBe(100 * 16 + 1);
  const single = new LinearPattern(different(300, 0x4e00), fuel);
  const { left } = fuel;
  expect(single.test(different(300, 0x4e00))).toBe(true);
  // To tell that it is one of many single characters takes one look.
  expect(left - fuel.left).toBeLessThan(300 * 500);
});

test('a pattern that tells many characters of ASCII apart follows each to where it leads, however they come', () => {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const tried = new LinearPattern(`^(?:${[...letters].map((one, i) => `${one}${letters[(i + 1) % 36]}`).join('|')})+$`);
  for (let i = 0; i < 36; i++) {
    const next = letters[(i + 1) % 36]!;
    expect(tried.test(`${letters[i]}${next}`)).toBe(true);
    expect(tried.test(`${letters[i]}${next}é`)).toBe(false);
    expect(tried.test(`${letters[i]}${letters[i]}`)).toBe(false);
  }
  expect(tried.test([...letters].flatMap((one, i) => [one, letters[(i + 1) % 36]]).join(''))).toBe(true);
});

test('classes of characters are counted in what is remembered, and forgotten with it', () => {
  const classes = Array.from({ length: 100 }, (_, i) => `[${different(2, 0x4e00 + 2 * i)}]`);
  const tried = new LinearPattern(classes.join(''));
  tried.test(different(200, 0x4e00));
  const { kept } = tried;
  expect(kept).toBeGreaterThan(100 * 16);
  tried.forget();
  expect(tried.kept).toBe(0);
  tried.test(different(200, 0x4e00));
  expect(tried.kept).toBe(kept);
});

test('a text of ASCII that is known is followed without a look into a map for any character: twenty patterns go through it in the time that one took (G4)', () => {
  const tried = new LinearPattern('(a|b|ab)*c[0-9]+$');
  const text = 'ab'.repeat(10_000);
  tried.test(text);
  const get = vi.spyOn(Map.prototype, 'get');
  expect(tried.test(text)).toBe(false);
  const looks = get.mock.calls.length;
  expect(tried.test(`${text}漢字`)).toBe(false);
  const looksAfter = get.mock.calls.length - looks;
  get.mockRestore();
  expect(looks).toBe(0);
  expect(looksAfter).toBeGreaterThan(0);
});

test('what a pattern remembers is bounded, however many states texts take it to, and of characters it remembers none that it need not', () => {
  const tried = new LinearPattern('^(a|b)*a(a|b){40}c$');
  let most = 0;
  for (let i = 1; i < 60; i++) {
    const text = Array.from({ length: 200 }, (_, at) => ((i * i * (at + 7) * (at + i)) % 101 < 50 ? 'a' : 'b')).join(
      '',
    );
    tried.test(text);
    most = Math.max(most, tried.kept);
  }
  expect(most).toBeGreaterThan(15_000);
  expect(most).toBeLessThan(21_000);
  tried.forget();
  expect(tried.kept).toBe(0);
  // Two states of more than one step, and what leads from one to the other.
  tried.test('b');
  expect(tried.kept).toBeGreaterThan(4);
  const other = new LinearPattern('^(?:[^a]{30}a?)*$');
  other.test(different(300));
  const { kept } = other;
  expect([other.test(different(30_000)), other.test(`${different(30_000, 0x20000)}ab`)]).toEqual([true, false]);
  expect(other.kept).toBeLessThan(kept + 50);
});

test.each([
  '(?=a)',
  '(?!a)',
  '(?<=a)b',
  '(?<!a)b',
  '(a)\\1',
  '\\bword',
  '(?<n>a)\\k<n>',
  '(',
  'a{2,1}',
  '[b-a]',
  'a{401}',
  '(a{30}){30}',
  '(a)'.repeat(21),
])('the pattern %s is refused', (source) => {
  expect(() => new LinearPattern(source)).toThrow(expect.objectContaining({ message: expect.any(String) }));
});

test('repetitions of nothing cost no time', () => {
  expect(() => new LinearPattern(`${'('.repeat(19)}${'){400}'.repeat(19)}`)).toThrow();
  expect(() => new LinearPattern(`${'('.repeat(19)}a{0}${'){400}'.repeat(19)}`)).toThrow();
});

import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);

/** Written by Prisma, and not in the repository. */
const GENERATED = 'store/generated/';

/** The formatter wraps code, but no comments: these are wrapped by hand, at 140, and one that runs on is not read. */
const MOST_COLUMNS = 160;

/** A line that is a comment as a whole, or begins with one. */
const COMMENT = /^\s*(?:\/\/|\/\*|\*)/;

/** The numbers of the comment lines of a text that are longer than `MOST_COLUMNS`, from 1. */
function longComments(text: string): number[] {
  return text
    .split('\n')
    .map((line, i) => (COMMENT.test(line) && line.length > MOST_COLUMNS ? i + 1 : 0))
    .filter((number) => number > 0);
}

/** A line of so many columns. */
const ofLength = (columns: number, start: string) => start.padEnd(columns, 'x');

test.each(['// ', '  // ', '/** ', ' * ', '  /* '])(
  'a comment line that begins with "%s" is found past 160 columns',
  (start) => {
    const text = (columns: number) => `const a = 1;\n${ofLength(columns, start)}\nconst b = 2;\n`;
    expect(longComments(text(161))).toEqual([2]);
    expect(longComments(text(160))).toEqual([]);
  },
);

test('long lines of code, such as SQL, are no long comments', () => {
  expect(longComments(ofLength(300, '  SELECT '))).toEqual([]);
});

test('no comment line of src is longer than 160 columns', async () => {
  const files = (await readdir(SRC, { recursive: true })).filter(
    (name) => name.endsWith('.ts') && !name.startsWith(GENERATED),
  );
  const found: string[] = [];
  for (const name of files) {
    const text = await readFile(new URL(name, SRC), 'utf8');
    found.push(...longComments(text).map((line) => `src/${name}:${line}`));
  }
  expect(files.length).toBeGreaterThan(120);
  expect(found.sort()).toEqual([]);
});

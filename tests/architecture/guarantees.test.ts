import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';

const cwd = fileURLToPath(new URL('../..', import.meta.url));
const files = new Map(projects().map(({ name, include }) => [name, filesOf(include)]));
/** What `npm test` runs: all projects but this. */
const LEFT_OUT = 'slow';

test.each(['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8'])(
  '%s is the title of a test that npm test runs',
  (guarantee) => {
    const title = new RegExp(`^ *test(\\.each\\(.*\\))?\\(\\s*['"\`]${guarantee}\\b`, 'm');
    const run = [...files].flatMap(([name, paths]) => (name === LEFT_OUT ? [] : paths));
    expect(run.filter((path) => title.test(readFileSync(`${cwd}/${path}`, 'utf8')))).not.toEqual([]);
  },
);

test('every file of tests is of one project', () => {
  expect([...files.values()].flat().sort()).toEqual(
    globSync('{src,tests,scripts,clients/typescript/src}/**/*.test.ts', { cwd }).sort(),
  );
  expect(files.get(LEFT_OUT)).not.toEqual([]);
});

function projects(): { name: unknown; include: string[] }[] {
  return (config.test?.projects ?? []).map((project) => {
    if (typeof project !== 'object' || !('test' in project))
      throw new Error('A project of vitest.config.ts is not told here.');
    return { name: project.test?.name, include: project.test?.include ?? [] };
  });
}

function filesOf(globs: readonly string[]): string[] {
  const exclude = globSync(
    globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1)),
    { cwd },
  );
  return globSync(
    globs.filter((glob) => !glob.startsWith('!')),
    { cwd, exclude },
  );
}

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';

const cwd = fileURLToPath(new URL('../..', import.meta.url));
/** What `npm test` leaves out: the one project that it does not name. */
const left = globSync(slowFiles(), { cwd });
const run = globSync('{src,tests}/**/*.test.ts', { cwd, exclude: left });

test.each(['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8'])(
  '%s is the title of a test that npm test runs',
  (guarantee) => {
    const title = new RegExp(`^ *test(\\.each\\(.*\\))?\\(\\s*['"\`]${guarantee}\\b`, 'm');
    expect(run.filter((path) => title.test(readFileSync(`${cwd}/${path}`, 'utf8')))).not.toEqual([]);
  },
);

test('what npm test leaves out are files that are there', () => {
  expect(slowFiles().filter((glob) => globSync(glob, { cwd }).length === 0)).toEqual([]);
  expect(left.length).toBeLessThan(run.length);
});

function slowFiles(): string[] {
  for (const project of config.test?.projects ?? []) {
    if (typeof project === 'object' && 'test' in project && project.test?.name === 'slow')
      return project.test.include ?? [];
  }
  throw new Error('vitest.config.ts has no project that is called slow.');
}

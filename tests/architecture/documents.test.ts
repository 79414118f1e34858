import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const pages = globSync(['README.md', 'CHANGELOG.md', 'docs/**/*.md', 'clients/*/README.md'], { cwd: ROOT });

/** Everything on the page that matches; the first group where there is one. */
const mentions = (page: string, pattern: RegExp) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(pattern)].map((match) => match[1]!);

test.each(pages)('%s names only files, links and npm scripts that exist', (page) => {
  const files = mentions(page, /`((?:src|tests|prisma|scripts|docs|\.ci)\/[\w./-]+)`/g).filter(
    (path) => !existsSync(join(ROOT, path)),
  );
  const links = mentions(page, /\]\(([^)#:]+)\)/g).filter((path) => !existsSync(join(ROOT, dirname(page), path)));
  const commands = mentions(page, /npm run ([\w:-]+)/g).filter((name) => scripts[name] === undefined);
  expect({ files, links, commands }).toEqual({ files: [], links: [], commands: [] });
});

test('the pages were found', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/operations.md']));
});

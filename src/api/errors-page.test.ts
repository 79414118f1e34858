import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PROBLEM_CODES } from '../domain/problem-codes.ts';
import { errorsPage } from './errors-page.ts';
import { routes } from './routes.ts';

const SRC = fileURLToPath(new URL('..', import.meta.url));
const THROWN = /new Refusal\(\s*(\d{3}),\s*'(\w+)'|status: (\d{3}),\s*code: '(\w+)'/g;

/** `409 conflict`, for every refusal that is written in the code. */
function refusals(): ReadonlySet<string> {
  const files = globSync('**/*.ts', { cwd: SRC }).filter((name) => !name.endsWith('.test.ts'));
  const texts = files.map((name) => readFileSync(join(SRC, name), 'utf8'));
  const found = texts.flatMap((text) => [...text.matchAll(THROWN)].map((match) => match.slice(1)));
  return new Set(
    found.map(([status, code, otherStatus, otherCode]) => `${status ?? otherStatus} ${code ?? otherCode}`),
  );
}

test('every code on the page is one that is answered, always with the status that it says', () => {
  const listed = Object.entries(PROBLEM_CODES).map(([code, { status }]) => `${status} ${code}`);
  expect([...refusals()].sort()).toEqual(listed.sort());
});

test('codes are listed by their status, and each has a row', () => {
  const statuses = Object.values(PROBLEM_CODES).map(({ status }) => status);
  expect(statuses).toEqual([...statuses].sort());
  const page = errorsPage();
  for (const [code, { status }] of Object.entries(PROBLEM_CODES)) expect(page).toContain(`| ${status} | \`${code}\` |`);
});

test('calls that the page names are there', () => {
  const calls = [...routes, { method: 'post', path: '/v1/events' }].map(
    ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
  );
  const named = [...errorsPage().matchAll(/`((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`/g)].map((match) => match[1]!);
  expect(named.length).toBeGreaterThan(20);
  const isThere = (name: string) => {
    const [method, path] = name.split(' ') as [string, string];
    return calls.some(
      (call) =>
        call === name || (path.startsWith('…') && call.startsWith(`${method} `) && call.endsWith(path.slice(1))),
    );
  };
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});

import { expect, test } from 'vitest';
import { PROBLEM_CODES } from '../domain/problem-codes.ts';
import { problemComponents } from './openapi-problem.ts';

test('a 503 is not said to have stored nothing: with some of its codes a change may have been made', () => {
  const { meaning, remedy } = PROBLEM_CODES.unavailable;
  expect(meaning).toContain('may have been made');
  expect(remedy).toMatch(/Before you repeat another `POST` or a `PATCH`, look/);
  const [response] = Object.entries(problemComponents({})).flatMap(([name, each]) =>
    /unavail|503/i.test(name) ? each : [],
  );
  expect(response?.description).toContain('depends on `code`');
  expect(response?.description).not.toContain('Nothing');
});

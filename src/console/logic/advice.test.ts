import { expect, test } from 'vitest';
import { PROBLEM_CODES } from '../../domain/problem-codes.ts';
import { adviceOf } from './advice.ts';

test('there is advice for what the calls of the console may be answered with', () => {
  const statuses = [401, 403, 404, 409, 422, 429, 500, 503];
  const codes = Object.entries(PROBLEM_CODES).filter(([, { status }]) => statuses.includes(status));
  const without = codes.filter(([code, { status }]) => adviceOf(status, code) === '').map(([code]) => code);
  expect(without).toEqual([]);
  expect(adviceOf(0, 'no_answer')).toContain('Posthorn runs');
  expect(adviceOf(0, 'outcome_unknown')).toContain('may have been done');
});

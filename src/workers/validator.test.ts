import { expect, test } from 'vitest';
import { resultOf } from './validator.ts';

const unknown = { kind: 'unknown', detail: 'connection refused' } as const;

test('the longer a receiver does not answer, the less often it is asked, and after days no more', () => {
  const delaysMs = [1, 2, 3, 4, 5, 6, 7, 124].map((tries) => {
    const result = resultOf(unknown, tries, 'x');
    return result.kind === 'postponed' ? result.delayMs : result.kind;
  });
  expect(delaysMs).toEqual([5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 3_600_000, 3_600_000]);
  expect(resultOf(unknown, 125, 'x')).toEqual({
    kind: 'refused',
    detail: 'no answer to 125 requests; the last one: connection refused',
  });
});

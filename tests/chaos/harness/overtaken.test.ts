import { expect, test } from 'vitest';
import type { LedgerRecord } from './ledger-writer.ts';
import { readOvertaken } from './overtaken.ts';

/** First attempts in the order of receipt: even events are of endpoint 1, odd ones of endpoint 2. */
const ledger = (...events: number[]) =>
  events.map((event) => ({ kind: 'request', endpoint: 1 + (event % 2), event, attempt: 1 }) as LedgerRecord);

test('events in the order of their posts are overtaken by none', async () => {
  expect(await readOvertaken(ledger(0, 1, 2, 3), [1, 2], [0, 4])).toEqual({ first: [0, 0], second: [0, 0] });
});

test('an endpoint whose events come late is overtaken as often as others were posted and received meanwhile', async () => {
  const late = ledger(1, 3, 0, 5, 2, 7, 4, 6);
  expect(await readOvertaken(late, [1, 2], [0, 8])).toEqual({ first: [2, 2, 2, 1], second: [0, 0, 0, 0] });
});

test('what is not of the measurement does not count: other events, other endpoints, other attempts', async () => {
  const [again, other] = [ledger(1)[0] as object, ledger(3)[0] as object];
  const records = [{ ...again, attempt: 2 }, { ...other, endpoint: 9 }, ...ledger(9, 0)] as LedgerRecord[];
  expect(await readOvertaken(records, [1, 2], [0, 4])).toEqual({ first: [0], second: [] });
});

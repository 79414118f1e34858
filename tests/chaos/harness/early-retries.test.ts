import { expect, test } from 'vitest';
import { readRetries } from './early-retries.ts';
import type { LedgerRecord } from './ledger-writer.ts';

const SCHEDULE = [0, 1, 2];

/** Requests of one delivery at these moments, the last of which is answered 204 and those before it 503. */
function ledger(...moments: number[]): LedgerRecord[] {
  return moments.flatMap((atMs, i): LedgerRecord[] => [
    {
      kind: 'request',
      request: i,
      atMs,
      endpoint: 0,
      event: 7,
      webhookId: '',
      deliveryId: '',
      attempt: i + 1,
      isVerified: true,
      isOwn: true,
      bodyHash: 0,
      lagMs: 0,
    },
    { kind: 'answer', request: i, atMs, status: i === moments.length - 1 ? 204 : 503 },
  ]);
}

test('retries at their time are counted, one for each attempt that failed, however late', async () => {
  expect(await readRetries(ledger(0, 800, 99_000), SCHEDULE)).toEqual({ firsts: 1, retries: 2, failed: 2, early: [] });
});

test('a retry before its time is found', async () => {
  const { early } = await readRetries(ledger(0, 799, 3_000), SCHEDULE);
  expect(early).toEqual([expect.stringContaining('event 7 to endpoint 0, attempt 2 after 799 ms')]);
});

test('one and the same attempt again, without another failure, shows in the counts', async () => {
  const again = { ...(ledger(0)[0] as object), request: 9, attempt: 2, atMs: 5_000 } as LedgerRecord;
  expect(await readRetries([...ledger(0), again], SCHEDULE)).toMatchObject({ retries: 1, failed: 0 });
});

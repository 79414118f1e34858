import type { DeliveryKey } from '../store/delivery-keys.ts';
import type { DueDelivery } from '../store/mailbox.ts';
import type { DeskClearer } from './desk-clearer.ts';
import type { Dispatcher } from './dispatcher.ts';
import { keyOf } from './rows-in-memory.ts';

/** Looks for rows that have waited long: one that is gone from the mailbox (cancelled, expunged) is not sent any more. */
export async function recheck(
  dispatcher: Dispatcher,
  clearer: DeskClearer,
  stillWaiting: (rows: readonly DueDelivery[]) => Promise<readonly DeliveryKey[]>,
): Promise<void> {
  const desks = dispatcher.takeUnsure();
  const letters = desks.flatMap((desk) => [...desk.waiting]);
  if (letters.length === 0) return;
  const found = await stillWaiting(letters.map((letter) => letter.due)).catch((error: unknown) => {
    dispatcher.returnUnsure(desks);
    throw error;
  });
  for (const desk of desks) dispatcher.offer(desk);
  const there = new Set(found.map(keyOf));
  // From the answer on: where Postgres is slow, one that counts from the question would be too old on arrival, time and again.
  const checkedAt = performance.now();
  for (const letter of letters) letter.checkedAt = checkedAt;
  const gone = new Set(letters.filter((letter) => !there.has(keyOf(letter.due))));
  for (const desk of desks) clearer.dropGone(desk, gone);
  dispatcher.run();
}

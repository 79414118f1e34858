import type { AcceptedBatch, AcceptedEvent } from './api.ts';
import { NoAnswerError } from './errors.ts';
import type { Parcel } from './pack-event.ts';

/**
 * What the answer to a batch says of each of its events.
 * @throws NoAnswerError for an answer that is not the API's, or is about other events
 */
export function storedItems(answer: unknown, batch: readonly Parcel[]): readonly AcceptedEvent[] {
  const items = batch.length === 1 ? [answer as AcceptedEvent] : (answer as Partial<AcceptedBatch> | undefined)?.items;
  if (Array.isArray(items) && items.length === batch.length && batch.every((parcel, i) => isOf(parcel, items[i])))
    return items;
  throw new NoAnswerError('The answer does not say what became of the events.', true);
}

function isOf({ id, hasKey }: Parcel, item: Partial<AcceptedEvent> | null | undefined): boolean {
  if (typeof item?.id !== 'string') return false;
  const isAccepted = item.status === 'accepted';
  if (!isAccepted && item.status !== 'duplicate') return false;
  const isAnyId = id === null || (hasKey && !isAccepted);
  return isAnyId || item.id === id;
}

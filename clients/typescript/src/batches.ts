import type { Parcel } from './pack-event.ts';

export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Each event has one more behind it: a comma, the last one the other bracket. */
const BRACKET = 1;
const SEPARATOR = 1;

/** As many as one request may have, from a place on: one at least, unless there is none. */
export function takeBatch(parcels: readonly Parcel[], from: number, limits: BatchLimits): readonly Parcel[] {
  let bytes = BRACKET;
  let end = from;
  for (; end < parcels.length; end++) {
    bytes += parcels[end]!.bytes + SEPARATOR;
    const isFull = end - from >= limits.maxEvents || bytes > limits.maxBytes;
    if (isFull && end > from) break;
  }
  return parcels.slice(from, end);
}

/** How long the body of a request with all of these would be. */
export function bodyBytes(batch: readonly Parcel[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes + SEPARATOR, BRACKET);
}

/** The body of a request. One event goes alone: the refusal of a single event says more. */
export function bodyOf(batch: readonly Parcel[]): string {
  return batch.length === 1 ? batch[0]!.text : `[${batch.map(({ text }) => text).join(',')}]`;
}

import type { NewEvent } from './api.ts';
import { newEventId } from './event-id.ts';

/** An event in the bytes of every try. */
export interface Parcel {
  /** Its place among those that are sent. */
  readonly index: number;
  readonly event: NewEvent;
  readonly text: string;
  readonly bytes: number;
}

export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

const encoder = new TextEncoder();
/** Each event has one more behind it: a comma, the last one the other bracket. */
const BRACKET = 1;
const SEPARATOR = 1;

/**
 * Made once, before the first try: what the caller changes afterwards changes nothing, and a server that has it already sees the same again.
 * An event that has neither an id nor an idempotency key gets an id, by which the server knows it again.
 * @throws TypeError for what is no JSON
 */
export function packEvent(given: NewEvent, index: number): Parcel {
  const isKnown = given.id !== undefined || given.metadata?.idempotency_key !== undefined;
  const event = isKnown ? given : { ...given, id: newEventId() };
  const text = JSON.stringify(event);
  return { index, event, text, bytes: encoder.encode(text).length };
}

/** As many from the front as one request may have: one at least. */
export function takeBatch(parcels: readonly Parcel[], limits: BatchLimits): readonly Parcel[] {
  let bytes = BRACKET;
  let count = 0;
  while (count < parcels.length && count < limits.maxEvents) {
    bytes += parcels[count]!.bytes + SEPARATOR;
    if (bytes > limits.maxBytes && count > 0) break;
    count++;
  }
  return parcels.slice(0, count);
}

/** How long the body of a request with all of these would be. */
export function bodyBytes(batch: readonly Parcel[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes + SEPARATOR, BRACKET);
}

/** The body of a request. One event goes alone: the refusal of a single event says more. */
export function bodyOf(batch: readonly Parcel[]): string {
  return batch.length === 1 ? batch[0]!.text : `[${batch.map(({ text }) => text).join(',')}]`;
}

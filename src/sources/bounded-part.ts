import { Refusal } from '../domain/errors.ts';
import { LONGEST_ESCAPE } from '../ingest/survey-events.ts';
import { KEPT_BYTES } from './rejected-message.ts';

/** Of a body of which only fields are read: what a part may have with the default `MAX_EVENT_BYTES`, however small events are. */
const PICKED_BYTES = LONGEST_ESCAPE * 256 * 1024;

/** Most bytes of a part (body, key or header) that becomes a part of an event. One byte of an event may have been written in six characters. */
export function longestPart(maxEventBytes: number): number {
  return Math.max(LONGEST_ESCAPE * maxEventBytes, KEPT_BYTES);
}

/** Most bytes of a body of which only fields are read: the rest of it is in no event. */
export function longestPicked(maxEventBytes: number): number {
  return Math.max(longestPart(maxEventBytes), PICKED_BYTES);
}

/**
 * The part, if it may be decoded. A broker may give a hundred times as many bytes, and to read these may take seconds, or all the memory there
 * is, to find that they are too large.
 * @param from as the mapping names it
 * @throws Refusal 413 when it is longer than `most`
 */
export function boundedPart(bytes: Uint8Array, most: number, from: string): Uint8Array {
  if (bytes.length <= most) return bytes;
  const detail = `${from} has ${bytes.length} bytes, more than is read of any message (${most}).`;
  throw new Refusal(413, 'too_large', detail, { faults: [{ path: from, message: detail }] });
}

import type { NewEvent } from './api.ts';
import { newEventId } from './event-id.ts';
import { writeJson } from './write-json.ts';

/** An event in the bytes of every try. */
export interface Parcel {
  /** Its place among those that are sent. */
  readonly index: number;
  readonly text: string;
  readonly bytes: number;
  /** What the server is to call it; null where the idempotency key alone says which event it is. */
  readonly id: unknown;
  /** A duplicate has the id of the first event with its key, whichever its own is. */
  readonly hasKey: boolean;
}

const encoder = new TextEncoder();
/** Halves of pairs, of which UTF-8 would make another character. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Made once, before the first try: what the caller changes afterwards changes nothing, and a server that has it already sees the same again.
 * An event that has neither an id nor an idempotency key gets an id, by which the server knows it again.
 * @throws TypeError for what is no event in JSON
 */
export function packEvent(given: NewEvent, index: number): Parcel {
  return pack(writeJson(`Event ${index}`, given), index);
}

/**
 * As `packEvent`, of an event in JSON, which is sent as it is written.
 * @throws TypeError for what is no event in JSON
 */
export function packText(given: string, index: number): Parcel {
  if (typeof given !== 'string') throw new TypeError(`Event ${index} is no text, but ${typeof given}.`);
  if (LONE_SURROGATE.test(given)) throw new TypeError(`Event ${index} is no JSON: it holds half of a character.`);
  return pack(given.trim(), index);
}

function pack(written: string | undefined, index: number): Parcel {
  // What the text says counts, not the object: `toJSON` and prototypes may make another thing of it.
  const read = written === undefined ? undefined : parse(written, index);
  if (!isObject(read) || !Object.hasOwn(read, 'type')) throw new TypeError(`Event ${index} is no object with a type.`);
  const hasKey = isObject(read.metadata) && Object.hasOwn(read.metadata, 'idempotency_key');
  if (Object.hasOwn(read, 'id')) return parcel(index, written!, read.id, hasKey);
  if (hasKey) return parcel(index, written!, null, hasKey);
  const id = newEventId();
  // Put into the text, so that the rest of it stays to the byte: numbers may have more digits than a double.
  return parcel(index, `${written!.slice(0, -1)},"id":"${id}"}`, id, hasKey);
}

function parcel(index: number, text: string, id: unknown, hasKey: boolean): Parcel {
  return { index, text, bytes: encoder.encode(text).length, id, hasKey };
}

function parse(text: string, index: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TypeError(`Event ${index} is no JSON.`, { cause });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { NewEvent } from './api.ts';
import { newEventId } from './event-id.ts';

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

/**
 * Made once, before the first try: what the caller changes afterwards changes nothing, and a server that has it already sees the same again.
 * An event that has neither an id nor an idempotency key gets an id, by which the server knows it again.
 * @throws TypeError for what is no event in JSON
 */
export function packEvent(given: NewEvent, index: number): Parcel {
  const written = write(given, index);
  // What the text says counts, not the object: `toJSON` and prototypes may make another thing of it.
  const read: unknown = written === undefined ? undefined : JSON.parse(written);
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

function write(given: NewEvent, index: number): string | undefined {
  try {
    return JSON.stringify(given, refuseWhatIsLost);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`Event ${index} is no JSON: ${why}`, { cause });
  }
}

/** What JSON would leave out, or make null of, without a word. An undefined member is left out: it is how TypeScript says that there is none. */
function refuseWhatIsLost(this: unknown, key: string, value: unknown): unknown {
  const given = (this as Record<string, unknown>)[key];
  if (given instanceof Date && value === null) throw new TypeError(`${JSON.stringify(key)} is an invalid Date.`);
  const isNumber = typeof value === 'number' || value instanceof Number;
  const isLost =
    (isNumber && !Number.isFinite(Number(value))) ||
    typeof value === 'function' ||
    typeof value === 'symbol' ||
    (value === undefined && Array.isArray(this));
  if (isLost) throw new TypeError(`${JSON.stringify(key)} is ${String(isNumber ? value : typeof value)}.`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

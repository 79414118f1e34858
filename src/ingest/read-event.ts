import type { Fault } from '../domain/errors.ts';
import { type Member, objectMembers } from '../domain/json-slices.ts';
import { repeatedNames } from '../domain/repeated-names.ts';
import { checkSchema } from './check-schema.ts';
import { type EventInput, eventInput } from './event-input.ts';
import { hasNamesOnce } from './names-once.ts';
import { plainInput } from './plain-input.ts';
import type { EventSlice } from './slice-events.ts';
import { MAX_FIELDS, tooManyFields } from './survey-events.ts';

/** Most repeated names that are told of one event. */
const MAX_REPEATED = 20;

/** A producer's event, checked, with `data` and `metadata` as they were written. */
export interface ReadEvent {
  readonly input: EventInput;
  /** The object that it was read from, as `JSON.parse` made it. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly dataText: string;
  readonly metadataText: string | null;
  /** What is compared in the place of `metadataText`, where other metadata say the same: those of CloudEvents. */
  readonly comparedMetadataText?: string;
  /** What no other event may have, beside its key and its id: source and id of a CloudEvent. */
  readonly claim?: string;
  /** The producer's name for the field that names the tenant, if that is not `tenant_id`. */
  readonly tenantField?: string;
}

export type ReadResult =
  | { readonly ok: true; readonly event: ReadEvent }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Checks one event.
 * @param value what `JSON.parse` made of `text`
 * @param text the event's own slice of the request, valid JSON
 * @param slice the same text, cut up; absent: it could not be
 */
export function readEvent(value: unknown, text: string, slice?: EventSlice): ReadResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, faults: [{ path: '', message: 'expected an event object' }] };
  }
  const plain = slice === undefined ? null : readPlain(value, slice);
  return plain === null ? readAny(value, text) : { ok: true, event: plain };
}

/** Reads an event of the usual form, several times as fast as `readAny`. @returns null if `readAny` has to decide whether it is one */
function readPlain(value: object, { members, dataText, metadataText }: EventSlice): ReadEvent | null {
  const plain = plainInput(value);
  // A text with more members than the object has a name twice: `JSON.parse` keeps one of these members.
  if (plain === null || plain.members !== members || dataText === null) return null;
  const { metadata } = plain.input;
  if ((metadata === undefined) !== (metadataText === null)) return null;
  if (metadata !== undefined && !hasNamesOnce(metadata, metadataText!)) return null;
  return { input: plain.input, value: value as ReadEvent['value'], dataText, metadataText };
}

function readAny(value: object, text: string): ReadResult {
  const members = objectMembers(text, MAX_FIELDS + 1);
  if (members.length > MAX_FIELDS) return { ok: false, faults: tooManyFields().faults };
  const checked = checkSchema(eventInput, value);
  const repeated = repeatedIn(members);
  if (!checked.ok || repeated.length > 0) {
    const faults = checked.ok ? [] : checked.faults;
    return { ok: false, faults: [...faults, ...repeated.map((path) => ({ path, message: 'given more than once' }))] };
  }
  const textOf = (name: string) => members.find((member) => member.name === name)?.text ?? null;
  return {
    ok: true,
    event: {
      input: checked.value,
      value: value as Readonly<Record<string, unknown>>,
      dataText: textOf('data') ?? 'null',
      metadataText: textOf('metadata'),
    },
  };
}

/**
 * @returns names that the event, or its metadata, has more than once. `data` is not looked at: only its receivers know what a name in it
 * means, and they get it to the letter
 */
function repeatedIn(members: readonly Member[]): readonly string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { name, text } of members) {
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
    if (name === 'metadata')
      for (const path of repeatedNames(text, MAX_REPEATED - repeated.size)) repeated.add(`metadata.${path}`);
    if (repeated.size >= MAX_REPEATED) break;
  }
  return [...repeated];
}

import type { Fault } from '../domain/errors.ts';
import { type Member, objectMembers } from '../domain/json-slices.ts';
import type { EventData } from './cloud-event.ts';
import { type CloudEventResult, composeCloudEvent } from './compose-cloud-event.ts';
import { isJsonType } from './media-type.ts';

/** JSON's integers: no fraction, no exponent (json-format.md §2.2). */
const INTEGER = /^-?(?:0|[1-9]\d*)$/;

/** Attributes, extensions and those that are null. */
const MAX_MEMBERS = 100;

/**
 * Reads an event in the JSON event format 1.0: the body of a structured message, or an element of a batch.
 * @param text JSON that parses
 */
export function readStructured(text: string): CloudEventResult {
  if (!text.trimStart().startsWith('{'))
    return { ok: false, faults: [{ path: '', message: 'expected a CloudEvents object' }] };
  const members = objectMembers(text, MAX_MEMBERS + 1);
  if (members.length > MAX_MEMBERS)
    return { ok: false, faults: [{ path: '', message: `expected at most ${MAX_MEMBERS} members` }] };
  const data = members.filter(({ name }) => name === 'data');
  const base64 = members.filter((member) => member.name === 'data_base64' && !isUnset(member));
  // A member that is null is unset, save for `data`: there it is a value.
  const attributes = members
    .filter((member) => member.name !== 'data' && member.name !== 'data_base64' && !isUnset(member))
    .map(({ name, text }) => [name, attributeOf(text)] as const);
  return composeCloudEvent(attributes, (contentType) => dataOf(data, base64, contentType));
}

function isUnset({ text }: Member): boolean {
  return text === 'null';
}

/** Numbers that are not written as whole ones become NaN, which no attribute may be. */
function attributeOf(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return typeof value === 'number' && !INTEGER.test(text) ? Number.NaN : value;
}

function dataOf(
  data: readonly Member[],
  base64: readonly Member[],
  contentType: string | undefined,
): EventData | null | Fault {
  if (data.length > 1) return { path: 'data', message: 'given more than once' };
  if (base64.length > 1) return { path: 'data_base64', message: 'given more than once' };
  if (data[0] !== undefined && base64[0] !== undefined)
    return { path: 'data_base64', message: 'expected either data or data_base64' };
  if (base64[0] !== undefined) return binaryOf(base64[0].text);
  if (data[0] === undefined) return null;
  if (contentType === undefined || isJsonType(contentType)) return { kind: 'json', text: data[0].text };
  if (data[0].text.startsWith('"')) return { kind: 'text', text: JSON.parse(data[0].text) };
  return { path: 'data', message: `expected text, because datacontenttype is ${contentType}` };
}

function binaryOf(text: string): EventData | Fault {
  const base64: unknown = JSON.parse(text);
  return isBase64(base64)
    ? { kind: 'binary', base64 }
    : { path: 'data_base64', message: 'expected base64 (RFC 4648 §4)' };
}

/** Written as an encoder writes it, so that it comes back the same. */
export function isBase64(text: unknown): text is string {
  return typeof text === 'string' && Buffer.from(text, 'base64').toString('base64') === text;
}

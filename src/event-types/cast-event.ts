import type { VersionPin } from '../domain/event-type.ts';
import { objectMembers } from '../domain/json-slices.ts';
import { type CastBook, castAlong } from './cast-book.ts';

/**
 * An event as an endpoint with pins gets it: the same bytes, or `data` in the pinned major with its `version`. Everything else stays to the
 * letter. The same event always gives the same bytes, whatever is registered later.
 * @param body a stored event, minified
 */
export function castEvent(body: Uint8Array, pins: readonly VersionPin[], book: CastBook): Uint8Array {
  const members = objectMembers(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  const textOf = (name: string) => members.find((member) => member.name === name)?.text ?? 'null';
  const route = book.routeTo(pins, JSON.parse(textOf('type')) as string, JSON.parse(textOf('version')) as string);
  if (route === null) return body;
  const changed: Readonly<Record<string, string>> = {
    version: JSON.stringify(route.version),
    data: castAlong(textOf('data'), route),
  };
  const written = members.map(({ name, text }) => `${JSON.stringify(name)}:${changed[name] ?? text}`);
  return Buffer.from(`{${written.join()}}`);
}

import { type Member, objectMembers } from '../domain/json-slices.ts';
import { type CastRoute, castAlong } from './cast-book.ts';
import type { CastCost } from './cast-data.ts';

/** The part of an event that decides how it is cast. */
export interface EventHead {
  readonly type: string;
  readonly version: string;
}

/** @param body a stored event, minified */
export function eventMembers(body: Uint8Array): readonly Member[] {
  return objectMembers(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
}

export function headOf(members: readonly Member[]): EventHead {
  return {
    type: JSON.parse(textOf(members, 'type')) as string,
    version: JSON.parse(textOf(members, 'version')) as string,
  };
}

/**
 * An event as an endpoint with pins gets it: `data` in the pinned major, with its `version`. Everything else stays to the letter. The same
 * event always gives the same bytes, whatever is registered later.
 * @throws CastTooLarge
 */
export function castEvent(members: readonly Member[], route: CastRoute, cost: CastCost): Uint8Array {
  const changed: Readonly<Record<string, string>> = {
    version: JSON.stringify(route.version),
    data: castAlong(textOf(members, 'data'), route, cost),
  };
  const written = members.map(({ name, text }) => `${JSON.stringify(name)}:${changed[name] ?? text}`);
  return Buffer.from(`{${written.join()}}`);
}

function textOf(members: readonly Member[], name: string): string {
  return members.find((member) => member.name === name)?.text ?? 'null';
}

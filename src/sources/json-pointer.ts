import { arrayElements, objectMembers } from '../domain/json-slices.ts';

/**
 * The text of the value that a JSON pointer (RFC 6901) names, cut out of a JSON text that `JSON.parse` has accepted, with the digits that
 * its writer wrote. Of repeated names the last counts, as for `JSON.parse`. @returns undefined when nothing is there
 */
export function textAt(text: string, pointer: string): string | undefined {
  if (pointer === '') return text;
  let at: string | undefined = text;
  for (const token of pointer.slice(1).split('/')) {
    if (at === undefined) return undefined;
    at = childOf(at.trimStart(), token.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return at;
}

function childOf(text: string, name: string): string | undefined {
  if (text.startsWith('{')) return objectMembers(text).findLast((member) => member.name === name)?.text;
  if (text.startsWith('[') && /^(0|[1-9]\d{0,8})$/.test(name)) return arrayElements(text)[Number(name)];
  return undefined;
}

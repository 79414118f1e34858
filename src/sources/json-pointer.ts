import { arrayElements, objectMembers } from '../domain/json-slices.ts';

/** @returns the text of the value that a JSON pointer names; undefined when nothing is there */
export type Values = (pointer: string) => string | undefined;

/**
 * The values in a JSON text that `JSON.parse` has accepted, by JSON pointers (RFC 6901): cut out of it, with the digits that their writer
 * wrote. Of repeated names the last counts, as for `JSON.parse`. What one pointer had cut up is not cut up again for another.
 */
export function valuesIn(text: string): Values {
  const cut = new Map<string, (name: string) => string | undefined>();
  const valueAt: Values = (pointer) => {
    const slash = pointer.lastIndexOf('/');
    if (slash < 0) return text;
    const parent = pointer.slice(0, slash);
    let childOf = cut.get(parent);
    if (childOf === undefined) {
      childOf = childrenOf((valueAt(parent) ?? '').trimStart());
      cut.set(parent, childOf);
    }
    return childOf(
      pointer
        .slice(slash + 1)
        .replaceAll('~1', '/')
        .replaceAll('~0', '~'),
    );
  };
  return valueAt;
}

function childrenOf(text: string): (name: string) => string | undefined {
  if (text.startsWith('{')) {
    const members = new Map(objectMembers(text).map(({ name, text: value }) => [name, value]));
    return (name) => members.get(name);
  }
  const elements = text.startsWith('[') ? arrayElements(text) : [];
  return (name) => (/^(0|[1-9]\d{0,8})$/.test(name) ? elements[Number(name)] : undefined);
}

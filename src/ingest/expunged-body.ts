import { objectMembers } from '../domain/json-slices.ts';

/** The event's body with `"data":null` and without metadata; its other fields as they were, byte for byte. */
export function expungedBody(body: Buffer): Buffer {
  const kept = objectMembers(body.toString()).filter(({ name }) => name !== 'metadata');
  const members = kept.map(({ name, text }) => `${JSON.stringify(name)}:${name === 'data' ? 'null' : text}`);
  return Buffer.from(`{${members.join(',')}}`);
}

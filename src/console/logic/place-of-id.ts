import { type Hash, hashOf } from './place.ts';

/** What the ids of objects of a tenant begin with → where such objects are shown. */
const PARTS: Readonly<Record<string, string>> = { evt: 'events', dlv: 'deliveries', ep: 'endpoints', rpl: 'replays' };

/** Where an object is shown. Any other id is one that a producer chose for its event, as far as it does not look like those of other objects. */
export function placeOfId(tenant: string, id: string): Hash {
  const prefix = /^([a-z]+)_/.exec(id)?.[1] ?? '';
  const part = (Object.hasOwn(PARTS, prefix) ? PARTS[prefix] : undefined) ?? 'events';
  return hashOf(['tenants', tenant, part, id]);
}

import type { EventType } from '../logic/api-shapes.ts';
import { indentJson } from '../logic/indent-json.ts';
import { hashOf } from '../logic/place.ts';
import { foreign } from './element.ts';
import { partReader, renderPart } from './part-or-problem.ts';
import { facts, jsonBlock, link, section, table, time } from './parts.ts';
import { tenantTrail } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** An event type, and the version that the address names in full. */
export function eventTypeView({ api, session, place }: Opening, tenant: string, name: string): View {
  const path = ['tenants', tenant, 'event-types', name];
  const { version } = place.query;
  const part = partReader();
  return view({
    heading: name,
    trail: tenantTrail(session, tenant, link(hashOf(['tenants', tenant, 'event-types']), 'Event types')),
    load: async (signal) => {
      const [type, inFull] = await Promise.all([
        api.read<EventType>(path, { signal }),
        // As it is written: numbers of schemas may be past the doubles.
        version === undefined ? null : part('version', api.call('GET', [...path, 'versions', version], { signal })),
      ]);
      return { type, inFull };
    },
    render: ({ type, inFull }) => [
      facts([
        ['Description', type.description === '' ? null : foreign(type.description)],
        ['Validation', foreign(type.validation)],
        ['Created', time(type.created_at)],
        ['Changed', time(type.updated_at)],
      ]),
      section('Versions', versionsOf(path, type, version)),
      inFull === null
        ? null
        : section(
            `Version ${version}`,
            ...renderPart(inFull, (text) => [jsonBlock(`Version ${version}`, indentJson(text))]),
          ),
    ],
  });
}

function versionsOf(path: readonly string[], { versions }: EventType, current: string | undefined): HTMLElement {
  return table(
    'Versions',
    ['Version', 'State', 'Description', 'Created'],
    versions.map(({ version, state, description, created_at }) => [
      link(hashOf(path, { version }), version, version === current),
      foreign(state),
      foreign(description),
      time(created_at),
    ]),
    'The type has no version.',
  );
}

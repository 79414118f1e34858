import type { EventType, Page } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { element, foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, table, time } from './parts.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function eventTypesView({ api, session, place }: Opening, tenant: string): View {
  const path = ['tenants', tenant, 'event-types'];
  const query = { limit: 50, cursor: place.query.cursor };
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'event-types')],
    load: (signal) => api.read<Page<EventType>>(path, { query, signal }),
    render: ({ data, next }) => [
      table(
        'Event types',
        ['Type', 'Versions', 'Validation', 'Changed'],
        data.map(({ type, description, versions, validation, updated_at }) => [
          element(
            'div',
            {},
            link(hashOf([...path, type]), type),
            description === '' ? null : element('div', { class: 'fine' }, foreign(description)),
          ),
          foreign(versions.map(({ version }) => version).join(', ')),
          foreign(validation),
          time(updated_at),
        ]),
        noneOrOlder('No event type is registered: events of any type are taken, unchecked.', next),
      ),
      pager(place, next),
    ],
  });
}

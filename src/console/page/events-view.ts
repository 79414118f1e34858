import type { EventFact, Page } from '../logic/api-shapes.ts';
import { fieldTime, isoTime } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { foreign } from './element.ts';
import { field, form } from './field.ts';
import { findInTenant } from './find-form.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, table, time } from './parts.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function eventsView(opening: Opening, tenant: string): View {
  const { api, session, place, go } = opening;
  const path = ['tenants', tenant, 'events'];
  const { type, subject, since, until, cursor } = place.query;
  const filter = form(
    'Filter events',
    'Filter',
    [
      field('Type', 'type', { value: type ?? '' }),
      field('Subject', 'subject', { value: subject ?? '' }),
      field('Since', 'since', { type: 'datetime-local', step: '1', value: fieldTime(since) }),
      field('Until', 'until', { type: 'datetime-local', step: '1', value: fieldTime(until) }),
    ],
    (values) => go(hashOf(path, { ...values, since: isoTime(values.since ?? ''), until: isoTime(values.until ?? '') })),
  );
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'events'), findInTenant(opening, tenant), filter],
    load: (signal) =>
      api.read<Page<EventFact>>(path, { query: { limit: 50, type, subject, since, until, cursor }, signal }),
    render: ({ data, next }) => [
      table(
        'Events',
        ['Event', 'Type', 'Subject', 'Accepted'],
        data.map((event) => [
          link(hashOf([...path, event.id]), event.id),
          foreign(event.type),
          event.subject === undefined ? '–' : foreign(event.subject),
          time(event.accepted_at),
        ]),
        noneOrOlder('There is no such event.', next),
      ),
      pager(place, next),
    ],
  });
}

import type { AuditEntry, Page } from '../logic/api-shapes.ts';
import { type Child, element, foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { jsonBlock, table, time } from './parts.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** Who changed what of a tenant's configuration, newest first. */
export function auditView({ api, session, place }: Opening, tenant: string): View {
  const query = { limit: 50, cursor: place.query.cursor };
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'audit')],
    load: (signal) => api.read<Page<AuditEntry>>(['tenants', tenant, 'audit'], { query, signal }),
    render: ({ data, next }) => [
      table(
        'Changes',
        ['Change', 'Of', 'By', 'At', 'What'],
        data.map((entry) => [
          foreign(entry.action),
          foreign(entry.object),
          foreign(entry.actor),
          time(entry.at),
          changeOf(entry),
        ]),
        noneOrOlder('Nothing was changed yet.', next),
      ),
      pager(place, next),
    ],
  });
}

function changeOf({ id, action, before, after }: AuditEntry): Child {
  const sides = [
    ['Before', before],
    ['After', after],
  ] as const;
  const shown = sides.filter(([, value]) => value !== null);
  if (shown.length === 0) return '–';
  return element(
    'details',
    { id: `change-${id}` },
    element('summary', { 'aria-label': `Before and after ${action}` }, 'Before and after'),
    ...shown.map(([name, value]) =>
      element('div', {}, element('div', { class: 'fine' }, name), jsonBlock(name, JSON.stringify(value, null, 2))),
    ),
  );
}

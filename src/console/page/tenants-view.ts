import type { Page, Tenant } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, table, time } from './parts.ts';
import { type Opening, type View, view } from './view.ts';

export function tenantsView({ api, place }: Opening): View {
  return view({
    heading: 'Tenants',
    trail: [],
    load: (signal) => api.read<Page<Tenant>>(['tenants'], { query: { limit: 50, cursor: place.query.cursor }, signal }),
    render: ({ data, next }) => [
      table(
        'Tenants',
        ['Tenant', 'Name', 'Created'],
        data.map(({ id, name, created_at }) => [
          link(hashOf(['tenants', id, 'endpoints']), id),
          foreign(name),
          time(created_at),
        ]),
        noneOrOlder('There is no tenant yet. POST /v1/tenants makes one.', next),
      ),
      pager(place, next),
    ],
  });
}

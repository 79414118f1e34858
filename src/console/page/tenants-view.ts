import type { Page, Tenant } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { element, foreign } from './element.ts';
import { field, form } from './field.ts';
import { findTenant } from './find-form.ts';
import { operatorTabs } from './operator-tabs.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, table, time } from './parts.ts';
import { type Opening, type View, view } from './view.ts';

export function tenantsView(opening: Opening): View {
  const { api, place } = opening;
  return view({
    heading: 'Tenants',
    trail: [],
    controls: [operatorTabs('tenants'), findTenant(opening)],
    footer: [addTenant(opening)],
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
        noneOrOlder('There is no tenant yet.', next),
      ),
      pager(place, next),
    ],
  });
}

function addTenant({ api, act }: Opening): HTMLElement {
  const add = ({ id = '', name = '' }: Readonly<Record<string, string>>) =>
    act(async () => {
      const body = { ...(id === '' ? {} : { id }), ...(name === '' ? {} : { name }) };
      const made = JSON.parse(await api.call('POST', ['tenants'], { body })) as Tenant;
      return { text: 'The tenant is made.', goTo: hashOf(['tenants', made.id, 'endpoints']) };
    });
  const made = form('Add a tenant', 'Add', [field('Id (made up, when empty)', 'id'), field('Name', 'name')], add);
  return element('details', { id: 'add-tenant' }, element('summary', {}, 'Add a tenant'), made);
}

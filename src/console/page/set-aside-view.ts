import type { Page, SetAside } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { foreign } from './element.ts';
import { operatorTabs } from './operator-tabs.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, table, time } from './parts.ts';
import { type Opening, type View, view } from './view.ts';

/** Deliveries whose worker died each time they were tried. The delivery's own view tries it again. */
export function setAsideView({ api, place }: Opening): View {
  const query = { limit: 50, cursor: place.query.cursor };
  return view({
    heading: 'Set aside',
    trail: [],
    controls: [operatorTabs('set-aside')],
    load: (signal) => api.read<Page<SetAside>>(['set-aside-deliveries'], { query, signal }),
    render: ({ data, next }) => [
      table(
        'Deliveries set aside',
        ['Delivery', 'Tenant', 'Endpoint', 'Crashes', 'Why', 'Since'],
        data.map(({ delivery_id, tenant_id, endpoint_id, crashes, reason, set_aside_at }) => [
          link(hashOf(['tenants', tenant_id, 'deliveries', delivery_id]), delivery_id),
          link(hashOf(['tenants', tenant_id, 'endpoints']), tenant_id),
          link(hashOf(['tenants', tenant_id, 'endpoints', endpoint_id]), endpoint_id),
          count(crashes),
          foreign(reason),
          time(set_aside_at),
        ]),
        noneOrOlder('No delivery was set aside: none has made its worker die again and again.', next),
      ),
      pager(place, next),
    ],
  });
}

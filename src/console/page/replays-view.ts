import type { Page, Replay } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { replayWord } from '../logic/words.ts';
import { element, foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, status, table, time } from './parts.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function replaysView({ api, session, place }: Opening, tenant: string): View {
  const path = ['tenants', tenant, 'replays'];
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'replays')],
    load: (signal) => api.read<Page<Replay>>(path, { query: { limit: 50, cursor: place.query.cursor }, signal }),
    render: ({ data, next }) => [
      table(
        'Replays',
        ['Replay', 'State', 'Done', 'Asked for', 'Begun'],
        data.map(({ id, state, matched, done, request, created_at }) => [
          link(hashOf([...path, id]), id),
          status(replayWord(state)),
          `${count(done)} of ${count(matched)}`,
          element('code', {}, foreign(JSON.stringify(request))),
          time(created_at),
        ]),
        noneOrOlder('Nothing was replayed or redriven yet.', next),
      ),
      pager(place, next),
    ],
  });
}

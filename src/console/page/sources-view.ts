import type { Page, Source } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { sourceWord } from '../logic/words.ts';
import { foreign } from './element.ts';
import { operatorTabs } from './operator-tabs.ts';
import { noneOrOlder, pager } from './pager.ts';
import { link, status, table, time } from './parts.ts';
import { type Opening, type View, view } from './view.ts';

export function sourcesView({ api, place }: Opening): View {
  return view({
    heading: 'Sources',
    trail: [],
    controls: [operatorTabs('sources')],
    load: (signal) => api.read<Page<Source>>(['sources'], { query: { limit: 50, cursor: place.query.cursor }, signal }),
    render: ({ data, next }) => [
      table(
        'Sources',
        ['Source', 'Broker', 'State', 'Behind by', 'Rejected since start', 'Created'],
        data.map((source) => [
          link(hashOf(['sources', source.id]), source.name),
          foreign(source.type),
          status(sourceWord(source)),
          source.lag === null ? 'not known' : `${count(source.lag)} messages`,
          count(rejectedOf(source)),
          time(source.created_at),
        ]),
        noneOrOlder('Events come by HTTP alone. POST /v1/sources takes them in from Kafka or RabbitMQ.', next),
      ),
      pager(place, next),
    ],
  });
}

function rejectedOf({ consumers }: Source): number {
  return consumers.reduce((sum, { rejected }) => sum + rejected, 0);
}

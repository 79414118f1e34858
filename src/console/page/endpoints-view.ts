import type { Endpoint, EndpointStats, Page } from '../logic/api-shapes.ts';
import { count, percent } from '../logic/format.ts';
import { type Hash, hashOf } from '../logic/place.ts';
import { breakerWord, endpointWord } from '../logic/words.ts';
import { type Child, element, foreign } from './element.ts';
import { addEndpoint } from './endpoint-form.ts';
import { noneOrOlder, pager } from './pager.ts';
import { type Part, partReader, SIGNED_OUT } from './part-or-problem.ts';
import { link, status, table, time } from './parts.ts';
import { may } from './session.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** Each row costs a call for its figures, which count up to 100,000 attempts: few rows, and not every few seconds. */
const ROWS = 20;
const REFRESH_MS = 30_000;

interface Row {
  readonly endpoint: Endpoint;
  readonly stats: Part<EndpointStats>;
}

export function endpointsView(opening: Opening, tenant: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'endpoints'];
  const statsOf = (id: string, signal: AbortSignal) =>
    partReader(SIGNED_OUT)(id, api.read<EndpointStats>([...path, id, 'stats'], { signal }));
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'endpoints')],
    footer: may(session, 'endpoints:write') ? [addEndpoint(opening, tenant)] : [],
    refreshMs: REFRESH_MS,
    load: async (signal) => {
      const query = { limit: ROWS, cursor: place.query.cursor };
      const { data, next } = await api.read<Page<Endpoint>>(path, { query, signal });
      const stats = await Promise.all(data.map(({ id }) => statsOf(id, signal)));
      return { rows: data.map((endpoint, index): Row => ({ endpoint, stats: stats[index]! })), next };
    },
    render: ({ rows, next }) => [
      table(
        'Endpoints',
        ['Endpoint', 'Status', 'Circuit', 'Success', 'Waiting', 'Dead letters', 'Created'],
        rows.map((row) => cells(row, hashOf([...path, row.endpoint.id]))),
        noneOrOlder('The tenant has no endpoint yet.', next),
      ),
      pager(place, next),
    ],
  });
}

function cells({ endpoint, stats }: Row, hash: Hash): readonly Child[] {
  const { url, description, created_at } = endpoint;
  const described = description === '' ? null : element('div', { class: 'fine' }, foreign(description));
  const first = element('div', {}, link(hash, url), described);
  return [first, status(endpointWord(endpoint)), ...figures(stats), time(created_at)];
}

function figures(stats: Part<EndpointStats>): readonly Child[] {
  if ('problem' in stats) {
    const { title, detail } = stats.problem;
    return [element('span', { class: 'fine' }, foreign(`not read: ${detail || title}`)), '–', '–', '–'];
  }
  const { breaker, success_rate, backlog, dead_letters } = stats.data;
  return [
    status(breakerWord(breaker.state)),
    percent(success_rate),
    count(backlog.pending + backlog.retrying, backlog.capped),
    count(dead_letters.total, dead_letters.capped),
  ];
}

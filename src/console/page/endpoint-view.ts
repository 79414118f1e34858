import type { Delivery, Endpoint, EndpointStats, Page, PausedKey } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { deliveriesTable, statusFilter } from './deliveries-table.ts';
import { endpointActions, secretControls } from './endpoint-actions.ts';
import { figuresOf, settingsOf } from './endpoint-facts.ts';
import { changeEndpoint } from './endpoint-form.ts';
import { pager } from './pager.ts';
import { partReader, renderPart } from './part-or-problem.ts';
import { link, section } from './parts.ts';
import { pausedKeys } from './paused-keys.ts';
import { replayForm } from './replay-form.ts';
import { may } from './session.ts';
import { tenantTrail } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function endpointView(opening: Opening, tenant: string, id: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'endpoints', id];
  const { status, cursor } = place.query;
  // Not rendered again with what is read: what is typed and shown in them stays.
  const secret = secretControls(opening, tenant, id);
  const replay = replayForm(opening, tenant, id);
  const change = changeEndpoint(opening, tenant, id);
  const part = partReader();
  const pausedOnes = (signal: AbortSignal) =>
    part('paused', api.read<Page<PausedKey>>([...path, 'paused-keys'], { query: { limit: 20 }, signal }));
  return view({
    heading: id,
    trail: tenantTrail(session, tenant, link(hashOf(['tenants', tenant, 'endpoints']), 'Endpoints')),
    footer: [
      secret,
      ...(may(session, 'deliveries:write') ? [section('Replay', replay)] : []),
      ...(may(session, 'endpoints:write') ? [section('Change', change)] : []),
    ],
    load: async (signal) => {
      const query = { limit: 20, endpoint_id: id, status, cursor };
      const settings = part('endpoint', api.read<Endpoint>(path, { signal }));
      const [endpoint, paused, stats, deliveries] = await Promise.all([
        settings,
        settings.then((read) => ('data' in read && read.data.order !== 'none' ? pausedOnes(signal) : null)),
        part('stats', api.read<EndpointStats>([...path, 'stats'], { signal })),
        part('deliveries', api.read<Page<Delivery>>(['tenants', tenant, 'deliveries'], { query, signal })),
      ]);
      return { endpoint, paused, stats, deliveries };
    },
    render: ({ endpoint, paused, stats, deliveries }) => [
      ...renderPart(endpoint, (settings) => [
        endpointActions(opening, settings, 'data' in stats ? stats.data : null),
        section('Settings', settingsOf(settings)),
      ]),
      section(
        'data' in stats ? `Figures of the last ${stats.data.window_hours} hours` : 'Figures',
        ...renderPart(stats, (data) => [figuresOf(data)]),
      ),
      paused === null
        ? null
        : section('Paused keys', ...renderPart(paused, (page) => pausedKeys(opening, tenant, id, page))),
      section(
        'Deliveries',
        statusFilter(place),
        ...renderPart(deliveries, (page) => [deliveriesTable(tenant, page, true), pager(place, page.next)]),
      ),
    ],
  });
}

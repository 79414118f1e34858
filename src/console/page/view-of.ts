import { auditView } from './audit-view.ts';
import { deadLettersView } from './dead-letters-view.ts';
import { deliveriesView } from './deliveries-view.ts';
import { deliveryView } from './delivery-view.ts';
import { element } from './element.ts';
import { endpointView } from './endpoint-view.ts';
import { endpointsView } from './endpoints-view.ts';
import { eventTypeView } from './event-type-view.ts';
import { eventTypesView } from './event-types-view.ts';
import { eventView } from './event-view.ts';
import { eventsView } from './events-view.ts';
import { keysView } from './keys-view.ts';
import { link } from './parts.ts';
import { rejectedView } from './rejected-view.ts';
import { replayView } from './replay-view.ts';
import { replaysView } from './replays-view.ts';
import { setAsideView } from './set-aside-view.ts';
import { sourceView } from './source-view.ts';
import { sourcesView } from './sources-view.ts';
import { tenantsView } from './tenants-view.ts';
import { type Opening, type View, view } from './view.ts';

/** Part of a tenant → its list, and one of it. */
const PARTS: Readonly<Record<string, { list?: typeof eventsView; one?: typeof eventView }>> = {
  endpoints: { list: endpointsView, one: endpointView },
  events: { list: eventsView, one: eventView },
  deliveries: { list: deliveriesView, one: deliveryView },
  'dead-letters': { list: deadLettersView },
  replays: { list: replaysView, one: replayView },
  'event-types': { list: eventTypesView, one: eventTypeView },
  audit: { list: auditView },
  keys: { list: keysView },
};

/** The view of a place. */
export function viewOf(opening: Opening): View {
  const { place, session } = opening;
  const [root = 'tenants', named, part = 'endpoints', id, ...rest] = place.path;
  if (root === 'sources') return sourceViewOf(opening, place.path);
  if (root === 'set-aside' && named === undefined) return setAsideView(opening);
  const tenant = named ?? session.tenant;
  if (root !== 'tenants' || rest.length > 0 || !Object.hasOwn(PARTS, part)) return nowhere();
  if (tenant === null) return tenantsView(opening);
  const { list, one } = PARTS[part]!;
  if (id === undefined) return list?.(opening, tenant) ?? nowhere();
  return one?.(opening, tenant, id) ?? nowhere();
}

function sourceViewOf(opening: Opening, [, source, part, message, ...rest]: readonly string[]): View {
  if (source === undefined) return sourcesView(opening);
  if (part === undefined) return sourceView(opening, source);
  if (part !== 'rejected' || message === undefined || rest.length > 0) return nowhere();
  return rejectedView(opening, source, message);
}

function nowhere(): View {
  return view({
    heading: 'Nothing here',
    trail: [],
    load: async () => null,
    render: () => [element('p', {}, 'The console has no such view. ', link('#/', 'Go to the start'))],
  });
}

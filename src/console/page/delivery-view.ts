import type { Attempt, Delivery, Page } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { deliveryWord } from '../logic/words.ts';
import { attemptsList } from './attempts.ts';
import { button, element, foreign } from './element.ts';
import { pager } from './pager.ts';
import { actions, facts, link, section, status, time } from './parts.ts';
import { may } from './session.ts';
import { tenantTrail } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function deliveryView(opening: Opening, tenant: string, id: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'deliveries', id];
  return view({
    heading: id,
    trail: tenantTrail(session, tenant, link(hashOf(['tenants', tenant, 'deliveries']), 'Deliveries')),
    load: async (signal) => {
      const query = { limit: 50, cursor: place.query.cursor };
      const [delivery, attempts] = await Promise.all([
        api.read<Delivery>(path, { signal }),
        api.read<Page<Attempt>>([...path, 'attempts'], { query, signal }),
      ]);
      return { delivery, attempts };
    },
    render: ({ delivery, attempts }) => [
      may(session, 'deliveries:write') ? deliveryActions(opening, path, delivery) : null,
      deliveryFacts(tenant, delivery),
      section('Attempts', attemptsList(id, attempts.data), pager(place, attempts.next)),
    ],
  });
}

function deliveryFacts(tenant: string, delivery: Delivery): HTMLElement {
  const { event_id, event_type, endpoint_id } = delivery;
  const event = link(hashOf(['tenants', tenant, 'events', event_id]), event_id);
  return facts([
    ['Event', element('span', {}, event, ' ', foreign(event_type))],
    ['Endpoint', link(hashOf(['tenants', tenant, 'endpoints', endpoint_id]), endpoint_id)],
    ['Status', status(deliveryWord(delivery.status))],
    ['Attempts', String(delivery.attempts)],
    ['Next attempt', delivery.next_attempt_at === null ? null : time(delivery.next_attempt_at)],
    ['Problem', delivery.problem === null ? null : foreign(delivery.problem)],
    ['Accepted', time(delivery.created_at)],
  ]);
}

function deliveryActions({ api, act }: Opening, path: readonly string[], { id, status: now }: Delivery): HTMLElement {
  const waits = now === 'pending' || now === 'retrying';
  const again = {
    title: `Deliver ${id} again?`,
    detail: 'The receiver gets it once more, under the same id.',
    yes: 'Deliver',
  };
  const retry = async () => {
    await api.call('POST', [...path, 'retry'], { body: {} });
    return 'The delivery is due now.';
  };
  const giveUp = {
    title: `Cancel ${id}?`,
    detail: 'It is not tried again unless somebody retries it.',
    yes: 'Cancel it',
  };
  const cancel = async () => {
    await api.call('POST', [...path, 'cancel'], { body: {} });
    return 'The delivery is cancelled.';
  };
  return actions(
    waits ? button('Try now', 'retry', () => act(retry)) : button('Deliver again …', 'retry', () => act(retry, again)),
    waits ? button('Cancel …', 'cancel', () => act(cancel, giveUp)) : null,
  );
}

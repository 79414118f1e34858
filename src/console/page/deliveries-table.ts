import type { Delivery, Page } from '../logic/api-shapes.ts';
import { hashOf, type Place } from '../logic/place.ts';
import { deliveryWord, outcomeWord } from '../logic/words.ts';
import { type Child, element, foreign } from './element.ts';
import { noneOrOlder } from './pager.ts';
import { link, status, table, time } from './parts.ts';

const STATUSES = ['pending', 'retrying', 'delivered', 'dead_lettered', 'cancelled'];

/** @param isOfOne whether all are of one endpoint, which need not be named then */
export function deliveriesTable(tenant: string, { data, next }: Page<Delivery>, isOfOne: boolean): Child {
  return table(
    'Deliveries',
    ['Delivery', 'Event', ...(isOfOne ? [] : ['Endpoint']), 'Status', 'Attempts', 'Last attempt', 'Next attempt'],
    data.map((delivery) => [
      link(hashOf(['tenants', tenant, 'deliveries', delivery.id]), delivery.id),
      eventOf(tenant, delivery),
      ...(isOfOne ? [] : [endpointOf(tenant, delivery)]),
      status(deliveryWord(delivery.status)),
      String(delivery.attempts),
      lastOf(delivery),
      time(delivery.next_attempt_at),
    ]),
    noneOrOlder('There is no such delivery.', next),
  );
}

function eventOf(tenant: string, { event_id, event_type }: Delivery): HTMLElement {
  return element(
    'div',
    {},
    link(hashOf(['tenants', tenant, 'events', event_id]), event_id),
    element('div', { class: 'fine' }, foreign(event_type)),
  );
}

function endpointOf(tenant: string, { endpoint_id }: Delivery): HTMLElement {
  return link(hashOf(['tenants', tenant, 'endpoints', endpoint_id]), endpoint_id);
}

function lastOf({ last_attempt, problem }: Delivery): Child {
  const why = problem ?? last_attempt?.detail ?? null;
  return element(
    'div',
    {},
    last_attempt === null ? 'none yet' : status(outcomeWord(last_attempt)),
    last_attempt === null ? null : element('div', { class: 'fine' }, time(last_attempt.started_at)),
    why === null ? null : element('div', { class: 'fine' }, foreign(why)),
  );
}

/** Links to the deliveries of each status. */
export function statusFilter({ path, query }: Place): HTMLElement {
  const choices = [undefined, ...STATUSES].map((status) =>
    link(hashOf(path, { status }), status === undefined ? 'all' : deliveryWord(status).text, query.status === status),
  );
  return element('nav', { class: 'tabs', 'aria-label': 'Status of deliveries' }, ...choices);
}

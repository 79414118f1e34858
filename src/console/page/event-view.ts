import type { Attempt, Delivery, EventFact, Page } from '../logic/api-shapes.ts';
import { indentJson } from '../logic/indent-json.ts';
import { hashOf } from '../logic/place.ts';
import { deliveryWord } from '../logic/words.ts';
import type { Api } from './api.ts';
import { attemptsList } from './attempts.ts';
import { button, type Child, element, foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { partReader, renderPart } from './part-or-problem.ts';
import { actions, facts, jsonBlock, link, section, status, time } from './parts.ts';
import { may } from './session.ts';
import { tenantTrail } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** Each delivery costs a call for its attempts. */
const DELIVERIES = 10;

interface Made {
  readonly delivery: Delivery;
  readonly attempts: readonly Attempt[];
}

export function eventView(opening: Opening, tenant: string, id: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'events', id];
  const query = { limit: DELIVERIES, cursor: place.query.cursor };
  const part = partReader();
  const attemptsOf = attemptsReader(api, tenant);
  return view({
    heading: id,
    trail: tenantTrail(session, tenant, link(hashOf(['tenants', tenant, 'events']), 'Events')),
    load: async (signal) => {
      const [event, deliveries] = await Promise.all([
        part('event', api.call('GET', path, { signal })),
        part(
          'deliveries',
          api.read<Page<Delivery>>([...path, 'deliveries'], { query, signal }).then(async ({ data, next }) => ({
            made: await Promise.all(data.map((delivery) => attemptsOf(delivery, signal))),
            next,
          })),
        ),
      ]);
      return { event, deliveries };
    },
    render: ({ event, deliveries }) => [
      ...renderPart(event, (text) => [
        expunge(opening, path, JSON.parse(text) as EventFact),
        factsOf(JSON.parse(text) as EventFact),
        section('The event, as it is stored', jsonBlock('The event', indentJson(text))),
      ]),
      section(
        'Deliveries',
        ...renderPart(deliveries, ({ made, next }) => [...madeOnes(tenant, made, next), pager(place, next)]),
      ),
    ],
  });
}

/** Asks again only where a delivery has moved. */
function attemptsReader(api: Api, tenant: string): (delivery: Delivery, signal: AbortSignal) => Promise<Made> {
  const known = new Map<string, { state: string; attempts: readonly Attempt[] }>();
  return async (delivery, signal) => {
    const state = JSON.stringify(delivery);
    const before = known.get(delivery.id);
    if (before?.state === state) return { delivery, attempts: before.attempts };
    const path = ['tenants', tenant, 'deliveries', delivery.id, 'attempts'];
    const { data } = await api.read<Page<Attempt>>(path, { query: { limit: 20 }, signal });
    known.set(delivery.id, { state, attempts: data });
    return { delivery, attempts: data };
  };
}

/** For what should never have been sent: personal data, a secret. */
function expunge({ api, act, session }: Opening, path: readonly string[], event: EventFact): Child {
  if (event.expunged_at !== null || !may(session, 'events:write')) return null;
  const question = {
    title: `Expunge the payload of ${event.id}?`,
    detail:
      'It is gone for good, and what waits of it is cancelled. That there was such an event, and its attempts, stay.',
    yes: 'Expunge',
  };
  const work = async () => {
    await api.call('DELETE', [...path, 'payload']);
    return 'The payload is expunged.';
  };
  return actions(button('Expunge the payload …', 'expunge', () => act(work, question)));
}

function factsOf(event: EventFact): HTMLElement {
  return facts([
    ['Type', element('span', {}, foreign(event.type), ' ', foreign(event.version))],
    ['Subject', event.subject === undefined ? null : foreign(event.subject)],
    ['Correlation', event.correlation_id === undefined ? null : foreign(event.correlation_id)],
    ['Happened', time(event.timestamp)],
    ['Accepted', time(event.accepted_at)],
    ['Expunged', event.expunged_at === null ? null : time(event.expunged_at)],
  ]);
}

function madeOnes(tenant: string, made: readonly Made[], next: string | null): readonly Child[] {
  if (made.length === 0) return [element('p', { class: 'empty' }, noneOrOlder('No endpoint wanted it.', next))];
  return made.map(({ delivery, attempts }) => {
    const more = delivery.attempts > attempts.length;
    return element(
      'article',
      {},
      element('h3', {}, link(hashOf(['tenants', tenant, 'deliveries', delivery.id]), delivery.id)),
      facts([
        ['Endpoint', link(hashOf(['tenants', tenant, 'endpoints', delivery.endpoint_id]), delivery.endpoint_id)],
        ['Status', status(deliveryWord(delivery.status))],
        ['Next attempt', delivery.next_attempt_at === null ? null : time(delivery.next_attempt_at)],
        ['Problem', delivery.problem === null ? null : foreign(delivery.problem)],
      ]),
      attemptsList(delivery.id, attempts),
      more ? element('p', { class: 'fine' }, 'The newest attempts; the delivery has all.') : null,
    );
  });
}

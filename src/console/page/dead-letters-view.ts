import type { DeadLetter, DeadLetterStats, Page } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { outcomeWord } from '../logic/words.ts';
import { type DeadLetterFilter, purgeAll, redriveAll, redriveOne } from './dead-letter-actions.ts';
import { type Child, element, foreign } from './element.ts';
import { choice, field, form } from './field.ts';
import { noneOrOlder, pager } from './pager.ts';
import { partReader, renderPart } from './part-or-problem.ts';
import { actions, link, status, table, time } from './parts.ts';
import { may } from './session.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

const REASONS = ['rejected', 'blocked', 'timeout', 'dns', 'refused', 'reset', 'tls', 'protocol', 'network'].concat(
  ...['gone', 'disabled', 'aborted', 'expired'],
);

export function deadLettersView(opening: Opening, tenant: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'dead-letters'];
  const { endpoint_id, reason, cursor } = place.query;
  const filter: DeadLetterFilter = { ...(endpoint_id ? { endpoint_id } : {}), ...(reason ? { reason } : {}) };
  const part = partReader();
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'dead-letters'), filterForm(opening, path, filter)],
    load: async (signal) => {
      const [letters, stats] = await Promise.all([
        api.read<Page<DeadLetter>>(path, { query: { limit: 50, ...filter, cursor }, signal }),
        part('stats', api.read<DeadLetterStats>([...path, 'stats'], { signal })),
      ]);
      return { letters, stats };
    },
    render: ({ letters, stats }) => [
      ...renderPart(stats, (data) => [summary(data)]),
      letters.data.length === 0 || !may(session, 'deliveries:write')
        ? null
        : actions(redriveAll(opening, tenant, filter), purgeAll(opening, tenant, filter)),
      table(
        'Dead letters',
        ['Event', 'Reason', 'Last attempt', 'Attempts', 'Endpoint', 'Accepted', 'Again'],
        letters.data.map((letter) => cells(opening, tenant, letter)),
        noneOrOlder('No dead letters.', letters.next),
      ),
      pager(place, letters.next),
    ],
  });
}

function filterForm({ go }: Opening, path: readonly string[], { endpoint_id, reason }: DeadLetterFilter): HTMLElement {
  const reasons = [['', 'any'] as const, ...REASONS.map((name) => [name, name] as const)];
  const fields = [
    field('Endpoint id', 'endpoint_id', { value: endpoint_id ?? '' }),
    choice('Reason', 'reason', reasons, reason),
  ];
  return form('Filter dead letters', 'Filter', fields, (values) => go(hashOf(path, values)));
}

function summary({ total, by_reason, capped }: DeadLetterStats): HTMLElement {
  const reasons = Object.entries(by_reason).map(([name, value]) => `${name} ${count(value)}`);
  const all = `${count(total, capped)} in all`;
  return element('p', { class: 'fine' }, reasons.length === 0 ? all : `${all}: ${reasons.join(', ')}`);
}

function cells(opening: Opening, tenant: string, letter: DeadLetter): readonly Child[] {
  const { delivery_id, event_id, event_type, endpoint_id, reason, attempts, last_attempt } = letter;
  const detail = last_attempt.detail === null ? null : element('div', { class: 'fine' }, foreign(last_attempt.detail));
  return [
    element(
      'div',
      {},
      link(hashOf(['tenants', tenant, 'events', event_id]), event_id),
      element('div', { class: 'fine' }, foreign(event_type)),
    ),
    reason,
    element('div', {}, status(outcomeWord(last_attempt)), detail),
    link(hashOf(['tenants', tenant, 'deliveries', delivery_id]), count(attempts)),
    link(hashOf(['tenants', tenant, 'endpoints', endpoint_id]), endpoint_id),
    time(letter.created_at),
    may(opening.session, 'deliveries:write') ? redriveOne(opening, tenant, delivery_id) : null,
  ];
}

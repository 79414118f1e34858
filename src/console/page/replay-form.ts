import type { Replay } from '../logic/api-shapes.ts';
import { isoTime } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { element } from './element.ts';
import { choice, field, form } from './field.ts';
import type { Opening } from './view.ts';

const STATUSES = [
  ['', 'Everything that ended, and what it never had'],
  ['delivered', 'What was delivered'],
  ['dead_lettered', 'Dead letters'],
  ['cancelled', 'What was cancelled'],
] as const;

/** Asks for the deliveries of a time to be made again, to one endpoint. */
export function replayForm({ api, act }: Opening, tenant: string, endpoint: string): HTMLElement {
  const question = {
    title: `Replay these events to ${endpoint}?`,
    detail: 'The receiver gets them again, with the ids that they had.',
    yes: 'Replay',
  };
  const start = (values: Readonly<Record<string, string>>) =>
    act(async () => {
      const body = {
        endpoint_id: endpoint,
        since: isoTime(values.since ?? ''),
        until: isoTime(values.until ?? ''),
        ...(values.status ? { status: values.status } : {}),
      };
      const replay = JSON.parse(await api.call('POST', ['tenants', tenant, 'replays'], { body })) as Replay;
      return { text: 'The replay has begun.', goTo: hashOf(['tenants', tenant, 'replays', replay.id]) };
    }, question);
  const asked = form(
    'Replay',
    'Replay …',
    [
      field('Accepted since', 'since', { type: 'datetime-local', step: '1', required: '' }),
      field('Until (now, when empty)', 'until', { type: 'datetime-local', step: '1' }),
      choice('Of these', 'status', STATUSES),
    ],
    start,
  );
  return element('details', { id: 'replay' }, element('summary', {}, 'Replay a time range'), asked);
}

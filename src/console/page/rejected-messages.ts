import type { Page, RejectedMessage } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf, type Place } from '../logic/place.ts';
import { button, type Child, element, foreign } from './element.ts';
import { noneOrOlder, pager } from './pager.ts';
import { actions, link, table, time } from './parts.ts';
import type { Opening } from './view.ts';

/** The messages of a source that are no event, and what can be done with them. */
export function rejectedMessages(opening: Opening, source: string, page: Page<RejectedMessage>): readonly Child[] {
  const { place } = opening;
  const { reason } = place.query;
  return [
    page.data.length === 0 && reason === undefined ? null : reasonFilter(place, page),
    page.data.length === 0 ? null : allOfThem(opening, source, reason),
    table(
      'Rejected messages',
      ['Message', 'Reason', 'Bytes', 'Tries', 'Rejected'],
      page.data.map((message) => cells(source, message)),
      noneOrOlder('No message was rejected.', page.next),
    ),
    pager(place, page.next),
  ];
}

/** Those of this page: nobody knows all reasons of the others. */
function reasonFilter({ path, query }: Place, { data }: Page<RejectedMessage>): HTMLElement {
  const reasons = new Set([query.reason, ...data.map(({ reason }) => reason)].filter((reason) => reason !== undefined));
  const choices = [undefined, ...[...reasons].sort()].map((reason) =>
    link(hashOf(path, { reason }), reason ?? 'all', query.reason === reason),
  );
  return element('nav', { class: 'tabs', 'aria-label': 'Reason of rejections' }, ...choices);
}

function cells(source: string, message: RejectedMessage): readonly Child[] {
  const again = message.retry_requested ? element('div', { class: 'fine' }, 'is to be tried again') : null;
  return [
    link(hashOf(['sources', source, 'rejected', message.id]), message.position),
    element('div', {}, foreign(message.reason), element('div', { class: 'fine' }, foreign(message.detail))),
    count(message.body_bytes),
    element('div', {}, count(message.attempts), again),
    time(message.rejected_at),
  ];
}

function allOfThem({ api, act }: Opening, source: string, reason: string | undefined): HTMLElement {
  const which = reason ? `all messages with the reason ${reason}` : 'all messages';
  const call = async (what: 'retry' | 'discard') => {
    const body = reason ? { reason } : {};
    const text = await api.call('POST', ['sources', source, 'rejected', what], { body });
    return count((JSON.parse(text) as { messages: number }).messages);
  };
  const retry = () =>
    act(async () => `To be tried again: ${await call('retry')}.`, {
      title: `Try ${which} of ${source} again?`,
      detail: 'On every page. Each is read by the mapping that the source has now, but for those that were cut short.',
      yes: 'Try again',
    });
  const discard = () =>
    act(async () => `Forgotten: ${await call('discard')}.`, {
      title: `Discard ${which} of ${source}?`,
      detail: 'On every page. Posthorn forgets them for good. What the broker keeps of them is not touched.',
      yes: 'Discard',
    });
  return actions(
    button(`Try ${which} again …`, 'retry-rejected', retry),
    button(`Discard ${which} …`, 'discard-rejected', discard),
  );
}

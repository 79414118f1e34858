import type { RejectedMessageInFull } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { textOfBase64 } from '../logic/text-of-base64.ts';
import { button, element, foreign } from './element.ts';
import { actions, block, facts, link, section, time } from './parts.ts';
import { type Opening, type View, view } from './view.ts';

/** One message that a source rejected, bytes and all. */
export function rejectedView(opening: Opening, source: string, id: string): View {
  const { api } = opening;
  return view({
    heading: 'Rejected message',
    trail: [link(hashOf(['sources']), 'Sources'), link(hashOf(['sources', source]), source)],
    load: (signal) => api.read<RejectedMessageInFull>(['sources', source, 'rejected', id], { signal }),
    render: (message) => [
      actionsOf(opening, source, message),
      factsOf(message),
      section('Headers', headersOf(message)),
      section('Body', bodyOf(message)),
    ],
  });
}

function actionsOf({ api, act }: Opening, source: string, { id, truncated }: RejectedMessageInFull): HTMLElement {
  const call = (what: 'retry' | 'discard') =>
    api.call('POST', ['sources', source, 'rejected', what], { body: { ids: [id] } });
  const retry = () =>
    act(async () => {
      const { messages } = JSON.parse(await call('retry')) as { messages: number };
      // Once it is an event there is no such message any more.
      const text =
        messages === 0 ? 'It is not tried again: it is gone, or cut short.' : 'The message is to be tried again.';
      return { text, goTo: hashOf(['sources', source]) };
    });
  const discard = () =>
    act(
      async () => {
        await call('discard');
        return { text: 'The message is forgotten.', goTo: hashOf(['sources', source]) };
      },
      { title: 'Discard this message?', detail: 'Posthorn forgets it for good.', yes: 'Discard' },
    );
  return actions(
    truncated ? null : button('Try again', 'retry-rejected', retry),
    button('Discard …', 'discard-rejected', discard),
  );
}

function factsOf(message: RejectedMessageInFull): HTMLElement {
  const { errors, key_base64, dead_letter_error } = message;
  const faults = errors.map(({ path, message: text }) => element('li', {}, foreign(path), ': ', foreign(text)));
  return facts([
    ['Position', foreign(message.position)],
    ['Reason', foreign(message.reason)],
    ['Detail', foreign(message.detail)],
    ['Faults', faults.length === 0 ? null : element('ul', {}, ...faults)],
    ['Consumer group', message.group === '' ? null : foreign(message.group)],
    ['Key', key_base64 === null ? null : foreign(shortText(key_base64))],
    ['Attributes', element('code', {}, foreign(JSON.stringify(message.attributes)))],
    ['Size', `${count(message.body_bytes)} bytes${message.truncated ? ', cut short: it cannot be tried again' : ''}`],
    ['Tries', count(message.attempts)],
    ['Is to be tried again', message.retry_requested ? 'yes' : null],
    ['Dead-letter topic', dead_letter_error === null ? null : foreign(dead_letter_error)],
    ['Sent', message.message_at === null ? null : time(message.message_at)],
    ['Rejected', time(message.rejected_at)],
  ]);
}

/** Each by itself: the value of one cannot seem to be another. */
function headersOf({ headers }: RejectedMessageInFull): HTMLElement {
  if (headers.length === 0) return element('p', { class: 'empty' }, 'No headers.');
  const items = headers.map(({ name, value_base64 }) =>
    element('li', {}, foreign(name), ': ', foreign(shortText(value_base64))),
  );
  return element('ul', {}, ...items);
}

function bodyOf({ body_base64 }: RejectedMessageInFull): HTMLElement {
  const { text, encoding } = textOfBase64(body_base64);
  const how = encoding === 'base64' ? element('p', { class: 'fine' }, 'It is no UTF-8: shown as base64.') : null;
  return element('div', {}, how, block('Body', text));
}

function shortText(base64: string): string {
  const { text, encoding } = textOfBase64(base64);
  return encoding === 'base64' ? `${text} (base64)` : text;
}

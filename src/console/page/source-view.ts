import type { Page, RejectedMessage, Source } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { consumerWord, sourceWord } from '../logic/words.ts';
import { button, element, foreign } from './element.ts';
import { partReader, renderPart, SIGNED_OUT } from './part-or-problem.ts';
import { actions, facts, jsonBlock, link, section, status, table, time } from './parts.ts';
import { rejectedMessages } from './rejected-messages.ts';
import { type Opening, type View, view } from './view.ts';

export function sourceView(opening: Opening, id: string): View {
  const { api, place } = opening;
  const path = ['sources', id];
  const { reason, cursor } = place.query;
  const part = partReader(SIGNED_OUT);
  return view({
    heading: id,
    trail: [link(hashOf(['sources']), 'Sources')],
    load: async (signal) => {
      const [source, rejected] = await Promise.all([
        part('source', api.read<Source>(path, { signal })),
        part(
          'rejected',
          api.read<Page<RejectedMessage>>([...path, 'rejected'], { query: { limit: 50, reason, cursor }, signal }),
        ),
      ]);
      return { source, rejected };
    },
    render: ({ source, rejected }) => [
      ...renderPart(source, (data) => [
        sourceActions(opening, data),
        factsOf(data),
        section('Consumers', consumersOf(data)),
      ]),
      section('Rejected messages', ...renderPart(rejected, (page) => rejectedMessages(opening, id, page))),
      'data' in source ? settingsOf(source.data) : null,
    ],
  });
}

function sourceActions({ api, act }: Opening, { id, name, paused }: Source): HTMLElement {
  const pause = () =>
    act(
      async () => {
        await api.call('POST', ['sources', id, 'pause']);
        return 'The source pauses.';
      },
      {
        title: `Pause ${name}?`,
        detail: 'Its messages wait at the broker, for as long as that keeps them.',
        yes: 'Pause',
      },
    );
  const resume = () =>
    act(async () => {
      await api.call('POST', ['sources', id, 'resume']);
      return 'The source goes on.';
    });
  return actions(paused ? button('Resume', 'resume', resume) : button('Pause …', 'pause', pause));
}

function factsOf(source: Source): HTMLElement {
  return facts([
    ['Name', foreign(source.name)],
    ['Broker', foreign(source.type)],
    ['State', status(sourceWord(source))],
    ['Behind by', source.lag === null ? 'not known' : `${count(source.lag)} messages`],
    ['Set up by', source.origin === 'file' ? 'the file of sources' : 'the API'],
    ['Created', time(source.created_at)],
    ['Changed', time(source.updated_at)],
  ]);
}

function settingsOf({ config }: Source): HTMLElement {
  return section('Settings', jsonBlock('Settings', JSON.stringify(config, null, 2)));
}

function consumersOf({ consumers }: Source): HTMLElement {
  return table(
    'Consumers',
    ['Process', 'State', 'Events', 'Duplicates', 'Rejected', 'Seen'],
    consumers.map(({ process, state, error, events, duplicates, rejected, seen_at }) => [
      foreign(process),
      element(
        'div',
        {},
        status(consumerWord(state)),
        error === null ? null : element('div', { class: 'fine' }, foreign(error)),
      ),
      count(events),
      count(duplicates),
      count(rejected),
      time(seen_at),
    ]),
    'No process takes it in.',
  );
}

import type { Replay } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { replayWord } from '../logic/words.ts';
import { button, element } from './element.ts';
import { actions, facts, jsonBlock, link, section, status, time } from './parts.ts';
import { may } from './session.ts';
import { tenantTrail } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

export function replayView({ api, session, act }: Opening, tenant: string, id: string): View {
  const path = ['tenants', tenant, 'replays', id];
  const giveUp = {
    title: `Cancel ${id}?`,
    detail: 'What it queued and nobody has tried yet is withdrawn.',
    yes: 'Cancel it',
  };
  const cancel = async () => {
    await api.call('DELETE', path);
    return 'The replay is cancelled.';
  };
  return view({
    heading: id,
    trail: tenantTrail(session, tenant, link(hashOf(['tenants', tenant, 'replays']), 'Replays')),
    refreshMs: 1_000,
    load: (signal) => api.read<Replay>(path, { signal }),
    render: ({ state, matched, done, skipped, request, created_at, finished_at }) => [
      may(session, 'deliveries:write') && (state === 'pending' || state === 'running')
        ? actions(button('Cancel …', 'cancel', () => act(cancel, giveUp)))
        : null,
      facts([
        ['State', status(replayWord(state))],
        ['Progress', progress(done, matched)],
        ['Left out', skipped === 0 ? null : `${count(skipped)}, because their endpoints were disabled`],
        ['Begun', time(created_at)],
        ['Ended', finished_at === null ? null : time(finished_at)],
      ]),
      section('What was asked for', jsonBlock('What was asked for', JSON.stringify(request, null, 2))),
    ],
  });
}

function progress(done: number, matched: number): HTMLElement {
  const bar = element('progress', { 'aria-label': 'Progress' });
  bar.max = Math.max(matched, 1);
  bar.value = done;
  return element('span', {}, bar, ` ${count(done)} of ${count(matched)} found so far`);
}

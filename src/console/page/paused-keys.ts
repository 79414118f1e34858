import type { Page, PausedKey } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { button, type Child, element, foreign } from './element.ts';
import { actions, link, table, time } from './parts.ts';
import { may } from './session.ts';
import type { Opening } from './view.ts';

/** What stands still behind dead letters of an ordered endpoint, until a person says how it goes on. */
export function pausedKeys(
  opening: Opening,
  tenant: string,
  endpoint: string,
  page: Page<PausedKey>,
): readonly Child[] {
  const mayResume = may(opening.session, 'deliveries:write');
  return [
    page.data.length === 0
      ? null
      : element(
          'p',
          { class: 'fine' },
          'Each waits for its dead letter: retry that, so that it goes first, or resume the key without it.',
        ),
    mayResume && page.data.length > 1 ? actions(resumeAll(opening, tenant, endpoint)) : null,
    table(
      'Paused keys',
      ['Subject', 'Dead letter', 'Paused', 'Resume'],
      page.data.map(({ subject, delivery_id, paused_at }) => [
        subject === null ? element('span', { class: 'fine' }, 'the whole endpoint, or not kept') : foreign(subject),
        link(hashOf(['tenants', tenant, 'deliveries', delivery_id]), delivery_id),
        time(paused_at),
        !mayResume
          ? null
          : subject === null
            ? page.data.length === 1
              ? resumeAll(opening, tenant, endpoint)
              : null
            : resumeOne(opening, tenant, endpoint, subject, delivery_id),
      ]),
      'No key is paused.',
    ),
    page.next === null ? null : element('p', { class: 'fine' }, 'There are more; these are the first.'),
  ];
}

function resumeOne({ api, act }: Opening, tenant: string, endpoint: string, subject: string, delivery: string) {
  const resume = () =>
    act(
      async () => {
        await api.call('POST', resumePath(tenant, endpoint), { body: { subject } });
        return 'The key goes on.';
      },
      { title: 'Resume this key?', detail: `What waits behind ${delivery} is delivered without it.`, yes: 'Resume' },
    );
  const made = button('Resume …', `resume-${delivery}`, resume);
  made.setAttribute('aria-label', `Resume behind ${delivery}`);
  return made;
}

function resumeAll({ api, act }: Opening, tenant: string, endpoint: string): HTMLButtonElement {
  const resume = () =>
    act(
      async () => {
        await api.call('POST', resumePath(tenant, endpoint), { body: {} });
        return 'All keys go on.';
      },
      {
        title: `Resume all keys of ${endpoint}?`,
        detail: 'What waits behind dead letters is delivered without them.',
        yes: 'Resume all',
      },
    );
  return button('Resume all …', 'resume-all', resume);
}

function resumePath(tenant: string, endpoint: string): readonly string[] {
  return ['tenants', tenant, 'endpoints', endpoint, 'paused-keys', 'resume'];
}

import type { ApiKey, NewApiKey, Page } from '../logic/api-shapes.ts';
import { button, type Child, element, foreign } from './element.ts';
import { choice, field, form } from './field.ts';
import { noneOrOlder, pager } from './pager.ts';
import { block, section, table, time } from './parts.ts';
import { SECRET } from './secret-place.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** What is offered: what keys are mostly for. Any other choice of scopes is made with the API. */
const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  'send events': ['events:write'],
  'read everything': ['events:read', 'endpoints:read', 'deliveries:read'],
  'manage endpoints and deliveries': [
    'events:read',
    'endpoints:read',
    'endpoints:write',
    'deliveries:read',
    'deliveries:write',
  ],
};

const LIVES = [
  ['', 'until it is revoked'],
  ['3600', 'an hour'],
  ['86400', 'a day'],
  ['2592000', '30 days'],
  ['31536000', '365 days'],
] as const;

/** The keys of a tenant, for operators. */
export function keysView(opening: Opening, tenant: string): View {
  const { api, session, place } = opening;
  const path = ['tenants', tenant, 'keys'];
  const query = { limit: 50, cursor: place.query.cursor };
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'keys')],
    footer: [makeKey(opening, path)],
    load: (signal) => api.read<Page<ApiKey>>(path, { query, signal }),
    render: ({ data, next }) => [
      table(
        'Keys',
        ['Key', 'Name', 'May', 'Expires', 'Made', 'Revoke'],
        data.map((key) => cells(opening, path, key)),
        noneOrOlder('The tenant has no key of its own.', next),
      ),
      pager(place, next),
    ],
  });
}

function cells({ api, act }: Opening, path: readonly string[], key: ApiKey): readonly Child[] {
  const revoke = button('Revoke …', `revoke-${key.id}`, () =>
    act(
      async () => {
        await api.call('DELETE', [...path, key.id]);
        return `The key ${key.id} is revoked.`;
      },
      { title: `Revoke ${key.id}?`, detail: 'Whoever uses it is refused within two seconds, for good.', yes: 'Revoke' },
    ),
  );
  revoke.setAttribute('aria-label', `Revoke ${key.id}`);
  return [
    foreign(key.id),
    foreign(key.name),
    foreign(key.scopes.join(', ')),
    key.expires_at === null ? 'never' : time(key.expires_at),
    time(key.created_at),
    revoke,
  ];
}

/** The key itself is shown once: Posthorn keeps only a hash of it. */
function makeKey({ api, act }: Opening, path: readonly string[]): HTMLElement {
  const shown = element('div', { class: SECRET });
  const make = ({ name = '', rights = '', life = '' }: Readonly<Record<string, string>>) =>
    act(async () => {
      const body = {
        ...(name === '' ? {} : { name }),
        scopes: RIGHTS[rights],
        ...(life === '' ? {} : { expires_in_seconds: Number(life) }),
      };
      const { id, key } = JSON.parse(await api.call('POST', path, { body })) as NewApiKey;
      if (!shown.isConnected) return `The key ${id} is made, and nobody has seen it: revoke it, and make another.`;
      const made = element('div', {}, block(`Key ${id}`, key));
      made.append(button('Hide', `hide-${id}`, () => made.remove()));
      shown.append(made);
      return `The key ${id} is made. Copy it now: it is never shown again.`;
    });
  const rights = Object.keys(RIGHTS).map((right) => [right, right] as const);
  return section(
    'Make a key',
    form(
      'Make a key',
      'Make a key',
      [
        field('Name', 'name', { maxlength: '200' }),
        choice('It may', 'rights', rights),
        choice('It is good for', 'life', LIVES),
      ],
      make,
    ),
    shown,
  );
}

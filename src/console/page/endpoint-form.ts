import type { Endpoint } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { wordsOf } from '../logic/words-of.ts';
import { element } from './element.ts';
import { field, form } from './field.ts';
import type { Opening } from './view.ts';

type Values = Readonly<Record<string, string>>;

/** Makes an endpoint of the commonest kind: one that is sent POSTs. The API has the others, and every setting. */
export function addEndpoint({ api, act }: Opening, tenant: string): HTMLElement {
  const path = ['tenants', tenant, 'endpoints'];
  const add = (values: Values) =>
    act(async () => {
      const made = JSON.parse(await api.call('POST', path, { body: settingsIn(values) })) as Endpoint;
      return { text: 'The endpoint is made. Give its receiver the signing secret.', goTo: hashOf([...path, made.id]) };
    });
  const made = form(
    'Add an endpoint',
    'Add',
    [
      field('URL', 'url', { type: 'url', required: '' }),
      field('Event types, with spaces between (all, when empty)', 'types'),
      field('Description', 'description'),
    ],
    add,
  );
  return element('details', { id: 'add-endpoint' }, element('summary', {}, 'Add an endpoint'), made);
}

/** Changes what of an endpoint is changed most often. */
export function changeEndpoint({ api, act }: Opening, tenant: string, id: string): HTMLElement {
  const change = (values: Values) =>
    act(
      async () => {
        await api.call('PATCH', ['tenants', tenant, 'endpoints', id], { body: settingsIn(values) });
        return 'The endpoint is changed.';
      },
      {
        title: `Change ${id}?`,
        detail: 'What waits for it is sent by the new settings, too. A field that is empty changes nothing.',
        yes: 'Change',
      },
    );
  const made = form(
    'Change the endpoint',
    'Change …',
    [
      field('New URL', 'url', { type: 'url' }),
      field('New event types, with spaces between', 'types'),
      field('New description', 'description'),
    ],
    change,
  );
  return element('details', { id: 'change-endpoint' }, element('summary', {}, 'Change the endpoint'), made);
}

/** A field that is empty says nothing. */
function settingsIn({ url = '', types = '', description = '' }: Values) {
  return {
    ...(url === '' ? {} : { url }),
    ...(types === '' ? {} : { subscriptions: [{ types: wordsOf(types) }] }),
    ...(description === '' ? {} : { description }),
  };
}

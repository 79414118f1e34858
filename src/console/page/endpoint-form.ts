import type { Endpoint } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import { readSettings } from '../logic/read-settings.ts';
import { wordsOf } from '../logic/words-of.ts';
import { element } from './element.ts';
import { area, field, form } from './field.ts';
import type { Opening } from './view.ts';

type Values = Readonly<Record<string, string>>;

/** Makes an endpoint: one that is sent POSTs, unless the other settings say otherwise. */
export function addEndpoint({ api, act }: Opening, tenant: string): HTMLElement {
  const path = ['tenants', tenant, 'endpoints'];
  const add = (values: Values) =>
    act(async () => {
      const made = JSON.parse(await api.call('POST', path, { body: settingsIn(values) })) as Endpoint;
      return { text: 'The endpoint is made. Give its receiver the signing secret.', goTo: hashOf([...path, made.id]) };
    });
  return settingsForm('Add an endpoint', 'Add', 'Without types it receives all but system events.', add);
}

/** Changes what is given of an endpoint, and nothing else. */
export function changeEndpoint({ api, act }: Opening, tenant: string, id: string): HTMLElement {
  const path = ['tenants', tenant, 'endpoints', id];
  const change = (values: Values) =>
    act(
      async () => {
        const body = settingsIn(values);
        if (Object.keys(body).length === 0) throw new Error('Nothing was typed, and nothing is changed.');
        refuseLosses(await api.read<Endpoint>(path), values);
        await api.call('PATCH', path, { body });
        return 'The endpoint is changed.';
      },
      {
        title: `Change ${id}?`,
        detail: 'What waits for it is sent by the new settings, too.',
        yes: 'Change',
      },
    );
  return settingsForm('Change the endpoint', 'Change …', 'What is left empty stays as it is.', change);
}

/** @param whenEmpty what a field says that is left empty */
function settingsForm(label: string, submit: string, whenEmpty: string, onSubmit: (values: Values) => void) {
  const fields = [
    field('URL', 'url', { type: 'url' }),
    field('Event types, with spaces between', 'types'),
    field('Description', 'description'),
    area('Other settings as JSON, as the API has them', 'others'),
  ];
  return element(
    'details',
    {},
    element('summary', {}, label),
    element('p', { class: 'fine' }, whenEmpty),
    form(label, submit, fields, onSubmit),
  );
}

/** What a field of one line would take the place of, and nobody meant. @throws Error saying how it is done instead */
function refuseLosses({ subscriptions, destination }: Endpoint, { url = '', types = '' }: Values): void {
  const isOfTypes = subscriptions.length <= 1 && subscriptions.every(({ filter }) => filter === undefined);
  if (types !== '' && !isOfTypes)
    throw new Error(
      'Nothing is changed: the types would take the place of its filter, or of several subscriptions. Write `subscriptions` among the other settings.',
    );
  if (url !== '' && destination.type !== 'http')
    throw new Error(
      `Nothing is changed: a URL would take the place of its destination of type ${destination.type}, password and all. Write \`destination\` among the other settings.`,
    );
}

/** A field that is empty says nothing. @throws Error when the other settings are no JSON */
function settingsIn({ url = '', types = '', description = '', others = '' }: Values) {
  return {
    ...readSettings(others),
    ...(url === '' ? {} : { url }),
    ...(types === '' ? {} : { subscriptions: [{ types: wordsOf(types) }] }),
    ...(description === '' ? {} : { description }),
  };
}

import type { Endpoint, EndpointSecrets, EndpointStats, Replay } from '../logic/api-shapes.ts';
import { hashOf } from '../logic/place.ts';
import type { Question } from './confirm.ts';
import { button, element, foreign } from './element.ts';
import { actions, facts, time } from './parts.ts';
import { SECRET } from './secret-place.ts';
import { may } from './session.ts';
import type { Opening } from './view.ts';

/** What can be done to an endpoint. @param stats null where they could not be read */
export function endpointActions(
  { api, act, session }: Opening,
  endpoint: Endpoint,
  stats: EndpointStats | null,
): HTMLElement {
  const { tenant, path } = placeOf(endpoint);
  const test = () =>
    act(async () => {
      const { event_id } = JSON.parse(await api.call('POST', [...path, 'test'], { body: {} })) as { event_id: string };
      return `The test event ${event_id} is on its way.`;
    });
  const enable = (enabled: boolean) =>
    act(
      async () => {
        await api.call('PATCH', path, { body: { enabled } });
        return enabled ? 'The endpoint is enabled.' : 'The endpoint is disabled.';
      },
      enabled ? undefined : disabling(endpoint),
    );
  const close = () =>
    act(async () => {
      await api.call('POST', [...path, 'breaker', 'reset']);
      return 'The circuit is closed.';
    });
  const redrive = () =>
    act(async () => {
      const body = { endpoint_id: endpoint.id };
      const text = await api.call('POST', ['tenants', tenant, 'dead-letters', 'redrive'], { body });
      const goTo = hashOf(['tenants', tenant, 'replays', (JSON.parse(text) as Replay).id]);
      return { text: 'The dead letters are queued.', goTo };
    }, redriving(endpoint));
  const remove = () =>
    act(async () => {
      await api.call('DELETE', path);
      return { text: 'The endpoint is deleted.', goTo: hashOf(['tenants', tenant, 'endpoints']) };
    }, deleting(endpoint));
  const validate = () =>
    act(async () => {
      await api.call('POST', [...path, 'validate']);
      return 'The receiver is asked again whether it agrees to deliveries.';
    });
  const isRefused = endpoint.validation_status !== null && endpoint.validation_status.state !== 'validated';
  const hasDeadLetters = stats !== null && stats.dead_letters.total > 0;
  const isClosed = stats === null || stats.breaker.state === 'closed';
  const redriveIt = () => button('Redrive its dead letters …', 'redrive-all', redrive);
  const mayRedrive = hasDeadLetters && may(session, 'deliveries:write');
  if (!may(session, 'endpoints:write')) return actions(mayRedrive ? redriveIt() : null);
  return actions(
    button('Send a test event', 'send-test', test),
    endpoint.enabled
      ? button('Disable …', 'disable', () => enable(false))
      : button('Enable', 'enable', () => enable(true)),
    isClosed ? null : button('Close the circuit', 'close-circuit', close),
    isRefused ? button('Ask the receiver again', 'validate', validate) : null,
    mayRedrive ? redriveIt() : null,
    button('Delete …', 'delete', remove),
  );
}

const disabling = ({ id }: Endpoint): Question => ({
  title: `Disable ${id}?`,
  detail: 'What comes for it meanwhile is not delivered to it, unless it is replayed.',
  yes: 'Disable',
});

const deleting = ({ id }: Endpoint): Question => ({
  title: `Delete ${id}?`,
  detail: 'It is gone for good, and what waits for it is cancelled. To keep it for later, disable it.',
  yes: 'Delete',
});

const redriving = ({ id }: Endpoint): Question => ({
  title: `Redrive all dead letters of ${id}?`,
  detail: 'Each is delivered again, behind live traffic.',
  yes: 'Redrive all',
});

const rotating = (id: string): Question => ({
  title: `Rotate the secret of ${id}?`,
  detail:
    'A new one is made. For a day both sign, so that the receiver can change over; then the old one is worth nothing.',
  yes: 'Rotate',
});

/** The secrets are read only when they are asked for, and rotated only when that is confirmed. */
export function secretControls({ api, act, session }: Opening, tenant: string, id: string): HTMLElement {
  const path = ['tenants', tenant, 'endpoints', id, 'secret'];
  const place = element('div', { class: SECRET });
  const show = () =>
    act(async () => {
      place.replaceChildren(secretsOf(await api.read<EndpointSecrets>(path)), hide);
      return place.isConnected ? 'The secret is shown.' : 'The secret was read, and is shown nowhere.';
    });
  const hide = button('Hide', 'hide-secret', () => place.replaceChildren());
  const rotate = () =>
    act(async () => {
      await api.call('POST', [...path, 'rotate'], { body: {} });
      place.replaceChildren();
      return 'The secret is rotated: give the receiver the new one.';
    }, rotating(id));
  return element(
    'section',
    { 'aria-label': 'Signing secret' },
    element('h2', {}, 'Signing secret'),
    actions(
      button('Show the secret', 'show-secret', show),
      may(session, 'endpoints:write') ? button('Rotate …', 'rotate-secret', rotate) : null,
    ),
    place,
  );
}

function secretsOf({ secret, public_key, previous }: EndpointSecrets): HTMLElement {
  const code = (text: string) => element('code', {}, foreign(text));
  return facts([
    ['Secret', code(secret)],
    ['Public key', public_key === undefined ? null : code(public_key)],
    ...previous.map((old): [string, HTMLElement] => [
      'Earlier one',
      element('span', {}, code(old.secret), ' signs until ', time(old.expires_at)),
    ]),
  ]);
}

function placeOf({ id, tenant_id }: Endpoint): { tenant: string; path: readonly string[] } {
  return { tenant: tenant_id, path: ['tenants', tenant_id, 'endpoints', id] };
}

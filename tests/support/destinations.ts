import { randomUUID } from 'node:crypto';
import { call } from './api.ts';
import { eventually } from './eventually.ts';

/** One attempt, as the API shows it. */
export interface ShownAttempt {
  readonly outcome: string;
  readonly status: number | null;
  readonly detail: string | null;
  readonly response: { readonly headers: Readonly<Record<string, string>> } | null;
}

export interface BrokerEndpoint {
  readonly id: string;
  readonly path: string;
  readonly secret: string;
}

/** A tenant's endpoint with a destination, and what becomes of its events. */
export function destinationCalls(baseUrl: string, tenant: string) {
  const root = `/v1/tenants/${tenant}`;
  const deliveriesOf = async (eventId: string, endpointId: string) => {
    const { body } = await call(baseUrl, 'GET', `${root}/events/${eventId}/deliveries`);
    return body.data.find((delivery: { endpoint_id: string }) => delivery.endpoint_id === endpointId);
  };
  /** Resolves when the delivery of an event has come to this state. */
  const settled = (eventId: string, endpoint: BrokerEndpoint, status: string) =>
    eventually(
      () => deliveriesOf(eventId, endpoint.id),
      (delivery) => delivery?.status === status,
    );
  return {
    create: async (settings: Readonly<Record<string, unknown>>): Promise<BrokerEndpoint> => {
      await eventually(
        () => call(baseUrl, 'POST', '/v1/tenants', { id: tenant }),
        (answer) => answer.status === 201 || answer.status === 409,
      );
      const { status, body } = await patiently(() => call(baseUrl, 'POST', `${root}/endpoints`, settings));
      if (status !== 201) throw new Error(`The endpoint was refused: ${status} ${JSON.stringify(body)}`);
      return { ...body, path: `${root}/endpoints/${body.id}` };
    },
    post: async (event: Readonly<Record<string, unknown>>): Promise<string> => {
      const again = { 'idempotency-key': randomUUID() };
      const { status, body } = await patiently(() =>
        call(baseUrl, 'POST', '/v1/events', { tenant_id: tenant, data: {}, ...event }, again),
      );
      if (status !== 202) throw new Error(`The event was refused: ${status} ${JSON.stringify(body)}`);
      return body.id;
    },
    settled,
    /** The first attempts of an event's delivery, oldest first, once there are so many. */
    attempts: (eventId: string, endpoint: BrokerEndpoint, count = 1) =>
      eventually(
        async (): Promise<ShownAttempt[]> => {
          const delivery = await deliveriesOf(eventId, endpoint.id);
          if (delivery === undefined) return [];
          const { body } = await call(baseUrl, 'GET', `${root}/deliveries/${delivery.id}/attempts`);
          return body.data.toReversed();
        },
        (attempts) => attempts.length >= count,
      ),
    /** Sends events that were delivered once more, by a replay. It leaves alone what is not on record as delivered yet. */
    replay: async (endpoint: BrokerEndpoint, eventIds: readonly string[]): Promise<void> => {
      for (const eventId of eventIds) await settled(eventId, endpoint, 'delivered');
      const filter = { endpoint_id: endpoint.id, event_ids: eventIds };
      const { status, body } = await call(baseUrl, 'POST', `${root}/replays`, filter);
      if (status !== 202) throw new Error(`The replay was refused: ${status} ${JSON.stringify(body)}`);
    },
    stats: async (endpoint: BrokerEndpoint) => (await call(baseUrl, 'GET', `${endpoint.path}/stats`)).body,
  };
}

/** On a machine that is busy Postgres may take longer than a caller is kept waiting: as producers do, it is asked again. */
function patiently<T extends { readonly status: number }>(ask: () => Promise<T>): Promise<T> {
  return eventually(ask, ({ status }) => status !== 503);
}

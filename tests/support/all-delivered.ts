import { call } from './api.ts';
import { eventually } from './eventually.ts';

/**
 * Resolves once all of an event's deliveries are on record as delivered. A receiver knows of a request a moment before that, and a replay
 * leaves alone what is not on record yet.
 */
export async function allDelivered(baseUrl: string, tenant: string, eventId: string): Promise<void> {
  await eventually(
    async () => (await call(baseUrl, 'GET', `/v1/tenants/${tenant}/events/${eventId}/deliveries`)).body.data,
    (deliveries: { status: string }[]) =>
      deliveries.length > 0 && deliveries.every(({ status }) => status === 'delivered'),
  );
}

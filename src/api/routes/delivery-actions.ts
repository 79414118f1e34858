import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { laneOf } from '../../routing/lane-of.ts';
import * as redrive from '../../store/redrive.ts';
import { deliveryKey } from '../dead-letter-json.ts';
import { deliveryJson, deliverySchema } from '../delivery-json.ts';
import { defineRoute } from '../route.ts';
import { deliveryNotFound } from './deliveries.ts';

const params = z.strictObject({ delivery_id: deliveryKey });
const noQuery = z.strictObject({});
const accepted = { 202: { description: 'The delivery as it is now', schema: deliverySchema } };
/** The call takes no fields: any that is sent is refused. */
const noBody = z.strictObject({});

export const retryDelivery = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/deliveries/:delivery_id/retry',
  access: 'deliveries:write',
  summary: 'Make a delivery due now: one that waits at once, one that has ended from the start of its schedule',
  params,
  query: noQuery,
  body: noBody,
  isScan: true,
  responses: accepted,
  handle: async ({ tenant, params: { delivery_id: key }, caller }, { apiPool, config, ringEndpoints, lockTurns }) => {
    const lane = laneOf(key.endpointNum, config.LANES);
    // It takes a turn, because it may wait with a connection in hand for the lock of whatever brings deliveries of the tenant back, such as
    // a replay.
    const result = await lockTurns.take(tenant.num, () =>
      redrive.retryDelivery(apiPool, tenant, key, lane, caller.actor),
    );
    if (typeof result === 'object') {
      ringEndpoints([key.endpointNum]);
      return { status: 202, body: deliveryJson(result, tenant) };
    }
    switch (result) {
      case 'not_found':
        throw deliveryNotFound();
      case 'endpoint_deleted':
        throw new Refusal(
          409,
          'endpoint_deleted',
          'The endpoint was deleted: nothing can be delivered to it any more.',
        );
      case 'payload_expunged':
        throw new Refusal(
          409,
          'payload_expunged',
          'The payload of the event was expunged: there is nothing to deliver.',
        );
    }
  },
});

export const cancelDelivery = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/deliveries/:delivery_id/cancel',
  access: 'deliveries:write',
  summary: 'End a delivery that waits. An attempt that is in flight is not called back',
  params,
  query: noQuery,
  body: noBody,
  responses: accepted,
  handle: async ({ tenant, params: { delivery_id: key }, caller }, { apiPool, ringEndpoints, promote }) => {
    const result = await redrive.cancelDelivery(apiPool, tenant, key, caller.actor, promote);
    if (typeof result === 'object') {
      ringEndpoints([key.endpointNum]);
      return { status: 202, body: deliveryJson(result, tenant) };
    }
    switch (result) {
      case 'not_found':
        throw deliveryNotFound();
      case 'ended':
        throw new Refusal(409, 'delivery_ended', 'The delivery has ended already.');
    }
  },
});

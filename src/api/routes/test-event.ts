import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { deliveryIdOf, newUuid, uuidFloor } from '../../domain/ids.ts';
import { type Member, objectMembers } from '../../domain/json-slices.ts';
import type { TenantRef } from '../../domain/scope.ts';
import { readEvent } from '../../ingest/read-event.ts';
import { type PendingEvent, sealEvent } from '../../ingest/seal-event.ts';
import { laneOf } from '../../routing/lane-of.ts';
import { findEndpointRef } from '../../store/endpoint-refs.ts';
import { appendEvents } from '../../store/event-log.ts';
import { noteTestEvent } from '../../store/test-events.ts';
import { objectId } from '../object-id.ts';
import { defineRoute } from '../route.ts';

const DEFAULT_TYPE = 'posthorn.test';
const DEFAULTS: readonly Member[] = [
  { name: 'type', text: JSON.stringify(DEFAULT_TYPE) },
  { name: 'data', text: '{"message":"This is a test event from Posthorn."}' },
];

export const sendTestEvent = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/test',
  access: 'endpoints:write',
  summary: 'Send a test event through the real path to this endpoint alone, whatever it subscribes to',
  params: z.strictObject({ endpoint_id: objectId('ep') }),
  query: z.strictObject({}),
  body: z.strictObject({
    type: z.string().optional().describe(`Default \`${DEFAULT_TYPE}\`.`),
    data: z.unknown().optional(),
  }),
  isLimited: true,
  responses: {
    202: { description: 'Accepted', schema: z.object({ event_id: z.string(), delivery_id: z.string() }) },
  },
  handle: async ({ tenant, params, bodyText }, { apiPool, clock, config, ingestLimits, ringEndpoints }) => {
    const endpoint = await findEndpointRef(apiPool, tenant.num, params.endpoint_id);
    if (endpoint === null || endpoint.deleted)
      throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
    if (!endpoint.enabled) throw new Refusal(409, 'endpoint_disabled', 'The endpoint is disabled: enable it first.');
    const event = testEvent(tenant, bodyText, clock.nowMs());
    const { refusal } = await ingestLimits.charge([{ tenant, events: 1, bytes: event.body.length }]);
    if (refusal !== null) throw refusal;
    const delivery = {
      eventUuid: event.uuid,
      endpointNum: endpoint.num,
      tenantNum: tenant.num,
      lane: laneOf(endpoint.num, config.LANES),
      orderKey: null,
    };
    await noteTestEvent(apiPool, event.uuid);
    await appendEvents(apiPool, {
      events: [{ ...event, tenantNum: tenant.num, tenantId: tenant.id }],
      claims: [],
      deliveries: [delivery],
      // It goes where it was told to: no routing to agree with.
      routing: new Map(),
      keysExpireBefore: uuidFloor(0),
    });
    ingestLimits.accepted(tenant, 1);
    ringEndpoints([endpoint.num]);
    return { status: 202, body: { event_id: event.publicId, delivery_id: deliveryIdOf(event.uuid, endpoint.num) } };
  },
});

/**
 * @param bodyText what was sent, '' or an object of nothing but `type` and `data`: they are kept to the letter
 * @throws Refusal 422 when the type is not one that producers may use, or a field is given twice
 */
function testEvent(tenant: TenantRef, bodyText: string, nowMs: number): PendingEvent {
  const sent = bodyText === '' ? [] : objectMembers(bodyText);
  const absent = DEFAULTS.filter(({ name }) => !sent.some((member) => member.name === name));
  const text = `{${[...sent, ...absent].map((member) => `${JSON.stringify(member.name)}:${member.text}`).join()}}`;
  const read = readEvent(JSON.parse(text), text);
  if (!read.ok) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults: read.faults });
  return sealEvent(read.event, tenant, newUuid(nowMs), nowMs, undefined);
}

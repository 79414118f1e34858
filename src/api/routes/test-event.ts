import { z } from 'zod';
import type { Caller, TenantRef } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import { deliveryIdOf, uuidFloor } from '../../domain/ids.ts';
import { type Member, objectMembers } from '../../domain/json-slices.ts';
import { CheckBudget } from '../../event-types/check-budget.ts';
import { type AcceptDependencies, type RawEvent, type Sealed, seal } from '../../ingest/accept.ts';
import { areCurrent } from '../../ingest/check-type.ts';
import { refusalFor, rulesOf } from '../../ingest/rejection.ts';
import { TypesChanged, untilTypesHold } from '../../ingest/until-types-hold.ts';
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
  handle: async (
    { tenant, params, bodyText, caller, setHeaders },
    { apiPool, accept, config, ingestLimits, ringEndpoints },
  ) => {
    const endpoint = await findEndpointRef(apiPool, tenant.num, params.endpoint_id);
    if (endpoint === null || endpoint.deleted)
      throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
    if (!endpoint.enabled) throw new Refusal(409, 'endpoint_disabled', 'The endpoint is disabled: enable it first.');
    const { event, misfit } = await accept.withinDeadline(sealTest(testEvent(bodyText), tenant, caller.actor, accept));
    const { refusal, headers } = await ingestLimits.charge([{ tenant, events: 1, bytes: event.body.length }]);
    setHeaders(headers);
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
      // The call names its endpoint, so that the commit has no routing to check.
      routing: new Map(),
      keysExpireBefore: uuidFloor(0),
    });
    if (misfit !== null) accept.types.onMisfit(misfit);
    ingestLimits.accepted(tenant, 1);
    ringEndpoints([endpoint.num]);
    return { status: 202, body: { event_id: event.publicId, delivery_id: deliveryIdOf(event.uuid, endpoint.num) } };
  },
});

/** @param bodyText '' or the text of an object with nothing but `type` and `data`, which are kept to the letter */
function testEvent(bodyText: string): RawEvent {
  const sent = bodyText === '' ? [] : objectMembers(bodyText);
  const absent = DEFAULTS.filter(({ name }) => !sent.some((member) => member.name === name));
  const text = `{${[...sent, ...absent].map((member) => `${JSON.stringify(member.name)}:${member.text}`).join()}}`;
  return { value: JSON.parse(text), text };
}

/**
 * Checks a test event like any other, and that the event types which it was checked by still hold: its commit does not check that.
 * @throws Refusal 422 when the type is not one that producers may use, a field is given twice, or the schema of the type refuses it
 */
function sealTest(raw: RawEvent, tenant: TenantRef, actor: string, accept: AcceptDependencies): Promise<Sealed> {
  const caller: Caller = { kind: 'tenant', actor, tenant, scopes: new Set() };
  const budget = new CheckBudget();
  return untilTypesHold(async () => {
    budget.begin();
    const options = { caller, idempotencyKey: undefined, budget };
    const sealed = await seal(raw, options, accept);
    const isRefused = 'status' in sealed;
    const rules = isRefused ? rulesOf([sealed]) : new Map([[tenant.num, sealed.event.rulesVersion!]]);
    if (!(await areCurrent(rules, accept.types))) return new TypesChanged(rules.keys());
    if (isRefused) throw refusalFor(new Map([[0, sealed]]), false);
    return sealed;
  }, accept.types);
}

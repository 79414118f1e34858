import { z } from 'zod';
import type { Context } from '../../context.ts';
import { Gate } from '../../delivery/gate.ts';
import { Refusal } from '../../domain/errors.ts';
import { publicKeyOf } from '../../signing/public-key-of.ts';
import { cancelForDeletedEndpoint } from '../../store/cancel-deleted.ts';
import * as endpoints from '../../store/endpoints.ts';
import { resumeKeys } from '../../store/paused-order-keys.ts';
import { MAX_SUBSCRIPTION_BYTES } from '../../store/subscription-bytes.ts';
import { updateEndpoint as update } from '../../store/update-endpoint.ts';
import { checkTogether, chooseDestination } from '../choose-destination.ts';
import { defaultSettings, secretFor, settingsOf } from '../endpoint-input.ts';
import { endpointJson } from '../endpoint-json.ts';
import { createdEndpointSchema, endpointPatch, endpointSchema, newEndpoint } from '../endpoint-schema.ts';
import { refuseChangedNumbers } from '../filter-input.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readWeighedPage } from '../paging.ts';
import { refuseDeadFilters } from '../refuse-dead-filters.ts';
import { refuseEmptySubscriptions } from '../refuse-empty-subscriptions.ts';
import { refuseLongSchedule } from '../retry-schedule-input.ts';
import { defineRoute, type RouteRequest } from '../route.ts';
import { tenantNotFound } from '../tenant-not-found.ts';

const noParams = z.strictObject({});
const noQuery = z.strictObject({});
const params = z.strictObject({ endpoint_id: objectId('ep') });

export function endpointNotFound(): Refusal {
  return new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
}

function tooMuchText(): Refusal {
  return new Refusal(
    422,
    'too_much_filter_text',
    `The subscriptions of a tenant's endpoints may be ${MAX_SUBSCRIPTION_BYTES / 1024 / 1024} MiB of text in all.`,
  );
}

function viewer(
  { caller, tenant }: Pick<RouteRequest<unknown, unknown, unknown>, 'caller' | 'tenant'>,
  { config }: Context,
) {
  return { caller, tenant, timeoutSeconds: config.DELIVERY_TIMEOUT_SECONDS };
}

export const createEndpoint = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints',
  access: 'endpoints:write',
  summary: 'Create an endpoint',
  params: noParams,
  query: noQuery,
  body: newEndpoint,
  responses: { 201: { description: 'The endpoint, with its signing secret', schema: createdEndpointSchema } },
  handle: async (request, context) => {
    const { secret: own, ...input } = request.body;
    refuseChangedNumbers(request.bodyText);
    const { given, settings: wanted } = settingsOf(input, context);
    // The body names one.
    const destination = chooseDestination(given, null)!;
    const settings = { ...defaultSettings, ...wanted, destination };
    checkTogether(destination, settings);
    refuseLongSchedule(settings.retrySchedule, defaultSettings.retrySchedule, context.config.RETENTION_DAYS);
    refuseEmptySubscriptions(settings.subscriptions, []);
    refuseDeadFilters(settings.subscriptions, []);
    const secret = secretFor(settings.signature, own);
    const created = await endpoints.createEndpoint(context, request.tenant, settings, secret, request.caller);
    if (created.kind === 'tenant_gone') throw tenantNotFound();
    if (created.kind === 'too_many') {
      throw new Refusal(409, 'too_many_endpoints', `A tenant has at most ${endpoints.MAX_ENDPOINTS} endpoints.`);
    }
    if (created.kind === 'too_many_new') {
      const detail = `A tenant may make at most ${endpoints.MAX_NEW_ENDPOINTS} endpoints within a day, deleted ones included.`;
      throw new Refusal(409, 'too_many_endpoints', detail);
    }
    if (created.kind === 'too_much_text') throw tooMuchText();
    const publicKey = publicKeyOf(secret);
    const signing = { secret, ...(publicKey === null ? {} : { public_key: publicKey }) };
    return { status: 201, body: { ...endpointJson(created.endpoint, viewer(request, context)), ...signing } };
  },
});

export const listEndpoints = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/endpoints',
  access: 'endpoints:read',
  summary: 'List endpoints. A page may hold fewer than `limit`: go on while `next` is not null',
  params: noParams,
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of endpoints', schema: pageOf(endpointSchema) } },
  handle: async (request, context) => {
    const { tenant, query } = request;
    const fetch = (after: string | undefined, limit: number) => endpoints.listEndpoints(context, tenant, after, limit);
    const { rows, next } = await readWeighedPage(context.cursors, query, ['endpoints', tenant.num], fetch);
    return { status: 200, body: { data: rows.map((row) => endpointJson(row, viewer(request, context))), next } };
  },
});

export const getEndpoint = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id',
  access: 'endpoints:read',
  summary: 'Read an endpoint',
  params,
  query: noQuery,
  responses: { 200: { description: 'The endpoint', schema: endpointSchema } },
  handle: async (request, context) => {
    const endpoint = await endpoints.findEndpoint(context, request.tenant, request.params.endpoint_id);
    if (endpoint === null) throw endpointNotFound();
    return { status: 200, body: endpointJson(endpoint, viewer(request, context)) };
  },
});

export const updateEndpoint = defineRoute({
  method: 'patch',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id',
  access: 'endpoints:write',
  summary: 'Change an endpoint: the fields given replace what they were, the others stay',
  params,
  query: noQuery,
  body: endpointPatch,
  responses: { 200: { description: 'The endpoint as it is now', schema: endpointSchema } },
  handle: async (request, context) => {
    const { tenant, caller, body } = request;
    const id = request.params.endpoint_id;
    refuseChangedNumbers(request.bodyText);
    const { given, settings } = settingsOf(body, context);
    const updated = await update(context, tenant, id, settings, caller, {
      destination: (before) => {
        const chosen = chooseDestination(given, before.destination);
        checkTogether(chosen ?? before.destination, { ...before, ...settings });
        refuseLongSchedule(settings.retrySchedule, before.retrySchedule, context.config.RETENTION_DAYS);
        refuseEmptySubscriptions(settings.subscriptions ?? [], before.subscriptions);
        refuseDeadFilters(settings.subscriptions ?? [], before.subscriptions);
        return chosen;
      },
      newSecret: (scheme) => secretFor(scheme, undefined),
      toBeProbed: Gate.toBeProbed,
    });
    if (updated === null) throw endpointNotFound();
    if (updated.endpoint === null) throw tooMuchText();
    const { num } = updated.endpoint;
    // No key of the endpoint waits for a decision any more: those that are paused go on.
    const resumed =
      body.on_dead_letter === 'continue'
        ? await resumeKeys(context.apiPool, tenant, { num, id, key: null }, caller.actor, context.promote)
        : 0;
    if (updated.mayMove || resumed > 0) context.ringEndpoints([num]);
    return { status: 200, body: endpointJson(updated.endpoint, viewer(request, context)) };
  },
});

export const deleteEndpoint = defineRoute({
  method: 'delete',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id',
  access: 'endpoints:write',
  summary: 'Delete an endpoint and cancel what waits for it',
  params,
  query: noQuery,
  responses: { 204: { description: 'Deleted', schema: null } },
  handle: async ({ tenant, params: { endpoint_id: id }, caller }, { prisma, apiPool, observe, ringEndpoints }) => {
    const num = await endpoints.deleteEndpoint(prisma, tenant, id, caller.actor);
    if (num === null) throw endpointNotFound();
    ringEndpoints([num]);
    // The endpoint is deleted by now. If cancelling fails here, the call has succeeded all the same: workers look for such deliveries every
    // two seconds.
    await cancelForDeletedEndpoint(apiPool, num).catch((error: unknown) => observe.workFailed('cancelling', error));
    return { status: 204 };
  },
});

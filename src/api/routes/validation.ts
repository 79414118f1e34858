import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { askValidation } from '../../store/endpoint-validations.ts';
import { endpointJson } from '../endpoint-json.ts';
import { endpointSchema } from '../endpoint-schema.ts';
import { objectId } from '../object-id.ts';
import { defineRoute } from '../route.ts';

export const validateEndpoint = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/validate',
  access: 'endpoints:write',
  summary: 'Ask the receiver of an endpoint anew whether it agrees to deliveries; until it does, they wait',
  params: z.strictObject({ endpoint_id: objectId('ep') }),
  query: z.strictObject({}),
  body: z.strictObject({}),
  responses: { 202: { description: 'The endpoint, pending', schema: endpointSchema } },
  handle: async ({ tenant, params, caller }, context) => {
    const endpoint = await askValidation(context, tenant, params.endpoint_id, caller);
    if (endpoint === null) throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
    if (endpoint === 'not_wanted')
      throw new Refusal(409, 'validation_not_wanted', 'The endpoint asks for no validation: set `validation` first.');
    const timeoutSeconds = context.config.DELIVERY_TIMEOUT_SECONDS;
    return { status: 202, body: endpointJson(endpoint, { caller, tenant, timeoutSeconds }) };
  },
});

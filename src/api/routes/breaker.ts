import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { resetBreaker as reset } from '../../store/reset-breaker.ts';
import { breakerJson, breakerSchema } from '../breaker-json.ts';
import { objectId } from '../object-id.ts';
import { defineRoute } from '../route.ts';

export const resetBreaker = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/breaker/reset',
  access: 'endpoints:write',
  summary: 'Close the circuit breaker of an endpoint by hand, and end its throttle: what waits is sent within a second',
  params: z.strictObject({ endpoint_id: objectId('ep') }),
  query: z.strictObject({}),
  body: z.strictObject({}),
  responses: { 200: { description: 'The breaker as it is now', schema: breakerSchema } },
  handle: async ({ tenant, params, caller }, { prisma, clock, ringEndpoints }) => {
    const num = await reset(prisma, tenant, params.endpoint_id, caller);
    if (num === null) throw new Refusal(404, 'endpoint_not_found', 'The endpoint does not exist.');
    ringEndpoints([num]);
    return { status: 200, body: breakerJson(null, clock.nowMs()) };
  },
});

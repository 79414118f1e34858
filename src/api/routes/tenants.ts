import { z } from 'zod';
import type { Config } from '../../config/config.ts';
import { Refusal } from '../../domain/errors.ts';
import * as tenants from '../../store/tenants.ts';
import { effectiveLimitsJson, effectiveLimitsSchema, limitsInput, limitsSchema } from '../limits-json.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { plainText } from '../plain-text.ts';
import { defineRoute } from '../route.ts';
import { tenantNotFound } from '../tenant-not-found.ts';

const tenantId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, _ and -');
const name = plainText(1, 200);

export const tenantSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    limits: limitsSchema.nullable().describe('What this tenant may send, as it was set.'),
    effective_limits: effectiveLimitsSchema.describe('What it may send, the defaults of the installation included.'),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Tenant' });

const noParams = z.strictObject({});
const noQuery = z.strictObject({});

function toJson(tenant: tenants.Tenant, config: Config): z.infer<typeof tenantSchema> {
  const { id, name, limits, createdAt } = tenant;
  return {
    id,
    name,
    limits: limits as z.infer<typeof limitsSchema> | null,
    effective_limits: effectiveLimitsJson(limits, config),
    created_at: createdAt.toISOString(),
  };
}

export const createTenant = defineRoute({
  method: 'post',
  path: '/v1/tenants',
  access: 'operator',
  summary: 'Create a tenant',
  params: noParams,
  query: noQuery,
  body: z.strictObject({ id: tenantId.optional(), name: name.optional(), limits: limitsInput.nullish() }),
  responses: { 201: { description: 'The tenant', schema: tenantSchema } },
  handle: async ({ body, caller }, context) => {
    const input = { id: body.id, name: body.name ?? body.id ?? 'unnamed', limits: body.limits };
    const tenant = await tenants.createTenant(context, input, caller.actor);
    if (tenant === null)
      throw new Refusal(409, 'tenant_exists', `A tenant with the id ${body.id} exists already, or did.`);
    return { status: 201, body: toJson(tenant, context.config) };
  },
});

export const listTenants = defineRoute({
  method: 'get',
  path: '/v1/tenants',
  access: 'operator',
  summary: 'List tenants',
  params: noParams,
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of tenants', schema: pageOf(tenantSchema) } },
  handle: async ({ query }, { prisma, cursors, config }) => {
    const fetch = (after: string | undefined, limit: number) =>
      tenants.listTenants(prisma, after === undefined ? undefined : Number(after), limit);
    const { rows, next } = await readPage(cursors, query, ['tenants'], fetch, (tenant) => String(tenant.num));
    return { status: 200, body: { data: rows.map((row) => toJson(row, config)), next } };
  },
});

export const getTenant = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id',
  access: 'operator',
  summary: 'Read a tenant',
  params: noParams,
  query: noQuery,
  responses: { 200: { description: 'The tenant', schema: tenantSchema } },
  handle: async ({ tenant }, { prisma, config }) => {
    const found = await tenants.findTenant(prisma, tenant.id);
    if (found === null) throw tenantNotFound();
    return { status: 200, body: toJson(found, config) };
  },
});

export const updateTenant = defineRoute({
  method: 'patch',
  path: '/v1/tenants/:tenant_id',
  access: 'operator',
  summary: 'Change the name or the limits of a tenant',
  params: noParams,
  query: noQuery,
  body: z.strictObject({ name: name.optional(), limits: limitsInput.nullish() }),
  responses: { 200: { description: 'The tenant', schema: tenantSchema } },
  handle: async ({ tenant, body, caller }, { prisma, config }) => {
    const changesNothing = body.name === undefined && body.limits === undefined;
    const found = changesNothing
      ? await tenants.findTenant(prisma, tenant.id)
      : await tenants.updateTenant(prisma, tenant, body, caller.actor);
    if (found === null) throw tenantNotFound();
    return { status: 200, body: toJson(found, config) };
  },
});

export const deleteTenant = defineRoute({
  method: 'delete',
  path: '/v1/tenants/:tenant_id',
  access: 'operator',
  summary: 'Delete a tenant: revokes its keys, deletes its endpoints, cancels what waits for them',
  params: noParams,
  query: noQuery,
  responses: { 204: { description: 'Deleted', schema: null } },
  handle: async ({ tenant, caller }, { prisma, authenticator, ringEndpoints }) => {
    const endpoints = await tenants.deleteTenant(prisma, tenant, caller.actor);
    if (endpoints === null) throw tenantNotFound();
    authenticator.forget();
    ringEndpoints(endpoints);
    return { status: 204 };
  },
});

import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import * as tenants from '../../store/tenants.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { plainText } from '../plain-text.ts';
import { defineRoute } from '../route.ts';

const tenantId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, _ and -');
const name = plainText(1, 200);

export const tenantSchema = z
  .object({ id: z.string(), name: z.string(), created_at: z.iso.datetime() })
  .meta({ id: 'Tenant' });

const noParams = z.strictObject({});
const noQuery = z.strictObject({});

function toJson(tenant: tenants.Tenant): z.infer<typeof tenantSchema> {
  return { id: tenant.id, name: tenant.name, created_at: tenant.createdAt.toISOString() };
}

export const createTenant = defineRoute({
  method: 'post',
  path: '/v1/tenants',
  access: 'operator',
  summary: 'Create a tenant',
  params: noParams,
  query: noQuery,
  body: z.strictObject({ id: tenantId.optional(), name: name.optional() }),
  responses: { 201: { description: 'The tenant', schema: tenantSchema } },
  handle: async ({ body, caller }, { prisma }) => {
    const tenant = await tenants.createTenant(
      prisma,
      { id: body.id, name: body.name ?? body.id ?? 'unnamed' },
      caller.actor,
    );
    if (tenant === null)
      throw new Refusal(409, 'tenant_exists', `A tenant with the id ${body.id} exists already, or did.`);
    return { status: 201, body: toJson(tenant) };
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
  handle: async ({ query }, { prisma, cursors }) => {
    const fetch = (after: string | undefined, limit: number) =>
      tenants.listTenants(prisma, after === undefined ? undefined : Number(after), limit);
    const { rows, next } = await readPage(cursors, query, ['tenants'], fetch, (tenant) => String(tenant.num));
    return { status: 200, body: { data: rows.map(toJson), next } };
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
  handle: async ({ tenant }, { prisma }) => {
    const found = await tenants.findTenant(prisma, tenant.id);
    if (found === null) throw new Refusal(404, 'tenant_not_found', 'The tenant does not exist.');
    return { status: 200, body: toJson(found) };
  },
});

export const updateTenant = defineRoute({
  method: 'patch',
  path: '/v1/tenants/:tenant_id',
  access: 'operator',
  summary: 'Rename a tenant',
  params: noParams,
  query: noQuery,
  body: z.strictObject({ name: name.optional() }),
  responses: { 200: { description: 'The tenant', schema: tenantSchema } },
  handle: async ({ tenant, body, caller }, { prisma }) => {
    const found =
      body.name === undefined
        ? await tenants.findTenant(prisma, tenant.id)
        : await tenants.renameTenant(prisma, tenant, body.name, caller.actor);
    if (found === null) throw new Refusal(404, 'tenant_not_found', 'The tenant does not exist.');
    return { status: 200, body: toJson(found) };
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
    authenticator.forget();
    ringEndpoints(endpoints);
    return { status: 204 };
  },
});

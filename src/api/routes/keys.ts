import { z } from 'zod';
import { SCOPES } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import * as keys from '../../store/manage-api-keys.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { plainText } from '../plain-text.ts';
import { defineRoute } from '../route.ts';
import { tenantNotFound } from '../tenant-not-found.ts';
import { dateTimeText, timeMs } from '../time-query.ts';

const MAX_LIFE_SECONDS = 10 * 366 * 86_400;

const scope = z.enum(SCOPES);

export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    expires_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Key' });

const freshKeySchema = keySchema
  .extend({ key: z.string().describe('The key itself: shown now and never again.') })
  .meta({ id: 'FreshKey' });

const newKey = z.strictObject({
  name: plainText(1, 200).optional(),
  scopes: z
    .array(scope)
    .min(1)
    .max(SCOPES.length)
    .transform((scopes) => [...new Set(scopes)])
    .optional()
    .describe(
      'What the key may do; everything within its tenant when absent. `endpoints:read` reads the symmetric signing secrets (`whsec_…`) of endpoints, too.',
    ),
  expires_at: dateTimeText.nullable().optional().describe('In the future; null or absent: never.'),
  expires_in_seconds: z.int().min(1).max(MAX_LIFE_SECONDS).optional().describe('In place of `expires_at`.'),
});

const noQuery = z.strictObject({});

function toJson(key: keys.ApiKey): z.infer<typeof keySchema> {
  const { id, name, scopes, expiresAt, createdAt } = key;
  return {
    id,
    name,
    scopes: [...scopes],
    expires_at: expiresAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(),
  };
}

/** @throws Refusal 422 when the moment is past, or is given in both ways. */
function expiryOf(input: z.infer<typeof newKey>, nowMs: number): Date | null {
  if (input.expires_in_seconds !== undefined) {
    if (input.expires_at != null) throw invalid('expires_in_seconds', 'expected either this or expires_at');
    return new Date(nowMs + input.expires_in_seconds * 1000);
  }
  if (input.expires_at == null) return null;
  const at = new Date(timeMs(input.expires_at));
  if (at.getTime() <= nowMs) throw invalid('expires_at', 'expected a moment in the future');
  if (at.getTime() > nowMs + MAX_LIFE_SECONDS * 1000) throw invalid('expires_at', 'expected at most 10 years from now');
  return at;
}

function invalid(path: string, message: string): Refusal {
  return new Refusal(422, 'invalid', 'The body is not valid.', { faults: [{ path, message }] });
}

// Keys are managed by operators: no scope of a tenant key lets it make another key.

export const createKey = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/keys',
  access: 'operator',
  summary: "Make an API key for a tenant's own use",
  params: z.strictObject({}),
  query: noQuery,
  body: newKey,
  responses: { 201: { description: 'The key, shown this once', schema: freshKeySchema } },
  handle: async ({ tenant, body, caller }, context) => {
    const { name = 'unnamed', scopes = SCOPES } = body;
    const input = { name, scopes, expiresAt: expiryOf(body, context.clock.nowMs()) };
    const created = await keys.createKey(context, tenant, input, caller.actor);
    if (created === null) throw tenantNotFound();
    return { status: 201, body: { ...toJson(created), key: created.key } };
  },
});

export const listKeys = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/keys',
  access: 'operator',
  summary: "List a tenant's keys that were not revoked",
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of keys', schema: pageOf(keySchema) } },
  handle: async ({ tenant, query }, { prisma, cursors }) => {
    const fetch = (after: string | undefined, limit: number) => keys.listKeys(prisma, tenant, after, limit);
    const { rows, next } = await readPage(cursors, query, ['keys', tenant.num], fetch, (key) => key.id);
    return { status: 200, body: { data: rows.map(toJson), next } };
  },
});

export const revokeKey = defineRoute({
  method: 'delete',
  path: '/v1/tenants/:tenant_id/keys/:key_id',
  access: 'operator',
  summary:
    'Revoke a key, for good. Other processes follow within 1.25 seconds, or within ten where Postgres does not answer',
  params: z.strictObject({ key_id: objectId('key') }),
  query: noQuery,
  responses: { 204: { description: 'Revoked', schema: null } },
  handle: async ({ tenant, params, caller }, { prisma, authenticator }) => {
    const isRevoked = await keys.revokeKey(prisma, tenant, params.key_id, caller.actor);
    if (!isRevoked) throw new Refusal(404, 'key_not_found', 'The key does not exist, or was revoked.');
    authenticator.forget();
    return { status: 204 };
  },
});

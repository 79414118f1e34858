import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { Context } from '../context.ts';
import { Refusal } from '../domain/errors.ts';
import type { Caller, TenantRef } from '../domain/scope.ts';
import { nestingDepth } from '../ingest/json-slices.ts';
import { faultsOf } from '../ingest/read-event.ts';
import type { Access, Route } from './route.ts';

const MAX_BODY_BYTES = 256 * 1024;
const MAX_DEPTH = 32;

/** Puts a route into the app: authenticate, find the tenant, read and check the input, handle, reply. */
export function mountRoute(app: Express, route: Route, context: Context): void {
  app[route.method](route.path, readBody(route), async (request: Request, response: Response) => {
    const caller = await authorize(request, route.access, context);
    const tenant = await tenantOf(request, caller, context);
    const reply = await route.handle(
      {
        params: check(route.params, withoutTenant(request.params), 'params'),
        query: check(route.query, request.query, 'query'),
        body: route.body === undefined ? undefined : check(route.body, parseBody(request), 'body'),
        caller,
        tenant,
        requestId: response.locals.requestId as string,
      },
      context,
    );
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    if (reply.rawBody !== undefined) response.status(reply.status).type('application/json').send(reply.rawBody);
    else if (reply.body === undefined) response.status(reply.status).end();
    else response.status(reply.status).json(reply.body);
  });
}

/** @throws Refusal 401 without a good key, 403 when the key lacks the scope. */
export async function authorize(request: Request, access: Access, context: Context): Promise<Caller> {
  if (access === 'public') return { kind: 'operator', actor: 'anonymous' };
  const caller = await context.authenticator.authenticate(request.headers.authorization);
  if (caller.kind === 'operator') return caller;
  if (access === 'operator') throw new Refusal(403, 'forbidden', 'This call is for operator keys.');
  if (!caller.scopes.has(access)) throw new Refusal(403, 'missing_scope', `The key lacks the scope ${access}.`);
  return caller;
}

const NO_TENANT: TenantRef = { num: 0, id: '' };

/** The tenant in the path: another tenant's is as unknown as one that does not exist. */
async function tenantOf(request: Request, caller: Caller, context: Context): Promise<TenantRef> {
  const id = request.params.tenant_id;
  if (typeof id !== 'string') return NO_TENANT;
  if (caller.kind === 'tenant') {
    if (caller.tenant.id === id) return caller.tenant;
  } else {
    const found = await context.findTenant(id);
    if (found !== null) return found;
  }
  throw new Refusal(404, 'tenant_not_found', 'The tenant does not exist.');
}

function withoutTenant(params: Request['params']): Record<string, unknown> {
  const { tenant_id: _, ...rest } = params;
  return rest;
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: 'params' | 'query' | 'body'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error);
  // An id that cannot be one names nothing.
  if (where === 'params') throw new Refusal(404, 'not_found', 'No such object.');
  throw new Refusal(422, 'invalid', `The ${where === 'query' ? 'query parameters are' : 'body is'} not valid.`, {
    faults,
  });
}

function readBody(route: Route): RequestHandler {
  const read = express.text({ type: () => true, limit: MAX_BODY_BYTES, inflate: false, defaultCharset: 'utf-8' });
  return (request, response, next) => {
    const hasBody =
      request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
    if (route.body !== undefined && hasBody && !isJson(request.headers['content-type'])) {
      throw new Refusal(415, 'unsupported_media_type', 'Send the body with content-type: application/json.');
    }
    read(request, response, next);
  };
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType ?? '');
}

function parseBody(request: Request): unknown {
  const text = typeof request.body === 'string' ? request.body : '';
  if (text === '') return {};
  if (text.includes('\ufffd')) throw new Refusal(400, 'invalid_json', 'The request body is not valid UTF-8.');
  if (nestingDepth(text, MAX_DEPTH) > MAX_DEPTH) {
    throw new Refusal(422, 'too_deep', `The request body nests deeper than ${MAX_DEPTH} levels.`, {
      faults: [{ path: '', message: `expected at most ${MAX_DEPTH} levels` }],
    });
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid_json', 'The request body is not valid JSON.');
  }
}

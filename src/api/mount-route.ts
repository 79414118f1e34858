import type { Express, Request, RequestHandler, Response } from 'express';
import type { Context } from '../context.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import { bodyBudget } from './body-budget.ts';
import { checkInput } from './check-input.ts';
import { bodyTextOf, MAX_BODY_BYTES, parseBodyText, readJsonBody, refuseBody } from './json-body.ts';
import type { Access, Reply, Route } from './route.ts';
import { tenantNotFound } from './tenant-not-found.ts';

/** Mounts the routes. The bodies of all their requests share one budget. */
export function mountRoutes(app: Express, routes: readonly Route[], context: Context): void {
  const budget = bodyBudget({
    budgetBytes: context.config.INGEST_BUFFER_BYTES / 4,
    unannouncedBytes: MAX_BODY_BYTES,
  });
  for (const route of routes) mountRoute(app, route, budget(largestBodyOf(route, context)), context);
}

/** The steps of every call: authenticate, find the tenant, read and check the input, handle, reply. */
function mountRoute(app: Express, route: Route, budget: RequestHandler, context: Context): void {
  // The key is checked before the body is read, so that strangers cost little and learn nothing.
  const admit: RequestHandler = async (request, response, next) => {
    const caller = await authorize(request, route.access, context);
    response.locals.caller = caller;
    response.locals.tenant = await tenantOf(request, caller, context);
    next();
  };
  const readBody = route.body === undefined ? [refuseBody()] : [budget, readJsonBody(largestBodyOf(route, context))];
  app[route.method](route.path, admit, ...readBody, async (request: Request, response: Response) => {
    const bodyText = bodyTextOf(request);
    const reply = await route.handle(
      {
        params: checkInput(route.params, withoutTenant(request.params), 'params'),
        query: checkInput(route.query, request.query, 'query'),
        body: route.body === undefined ? undefined : checkInput(route.body, parseBodyText(bodyText), 'body'),
        bodyText,
        caller: response.locals.caller as Caller,
        tenant: response.locals.tenant as TenantRef,
        requestId: response.locals.requestId as string,
        setHeaders: (headers) => setHeaders(headers, response),
      },
      context,
    );
    send(reply, response);
  });
}

function largestBodyOf({ largestBody }: Route, { config }: Context): number {
  return largestBody?.(config) ?? MAX_BODY_BYTES;
}

function send(reply: Reply, response: Response): void {
  setHeaders(reply.headers ?? {}, response);
  if (reply.rawBody !== undefined) response.status(reply.status).type('application/json').send(reply.rawBody);
  else if (reply.body === undefined) response.status(reply.status).end();
  else response.status(reply.status).json(reply.body);
}

function setHeaders(headers: Readonly<Record<string, string>>, response: Response): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/**
 * @throws Refusal 401 without a good key, 404 when the path names another tenant than the key's, 403 when the key may not make this call.
 */
export async function authorize(request: Request, access: Access, context: Context): Promise<Caller> {
  if (access === 'public') return { kind: 'operator', actor: 'anonymous' };
  const caller = await context.authenticator.authenticate(request.headers.authorization);
  if (caller.kind === 'operator' || access === 'any_key') return caller;
  const named = request.params.tenant_id;
  // Checked before scopes: of another tenant a caller learns no more than of one that does not exist.
  if (named !== undefined && named !== caller.tenant.id) throw tenantNotFound();
  if (access === 'operator') throw new Refusal(403, 'forbidden', 'This call is for operator keys.');
  if (!caller.scopes.has(access)) throw new Refusal(403, 'missing_scope', `The key lacks the scope ${access}.`);
  return caller;
}

const NO_TENANT: TenantRef = { num: 0, id: '' };

/** The tenant in the path, which `authorize` has found to be the caller's own or an operator's to reach. */
async function tenantOf(request: Request, caller: Caller, context: Context): Promise<TenantRef> {
  const id = request.params.tenant_id;
  if (typeof id !== 'string') return NO_TENANT;
  if (caller.kind === 'tenant') return caller.tenant;
  const found = await context.findTenant(id);
  if (found === null) throw tenantNotFound();
  return found;
}

function withoutTenant(params: Request['params']): Record<string, unknown> {
  const { tenant_id: _, ...rest } = params;
  return rest;
}

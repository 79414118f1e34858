import type { z } from 'zod';
import type { Config } from '../config/config.ts';
import type { Context } from '../context.ts';
import type { Caller, Scope, TenantRef } from '../domain/caller.ts';

/** Who may call: anybody, whoever has a key, operators only, or whoever has the scope in the tenant that the path names. */
export type Access = 'public' | 'any_key' | 'operator' | Scope;

export interface RouteRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The JSON text that `body` was parsed from, as it was sent: its numbers have not passed through JavaScript's. '' when none was sent. */
  readonly bodyText: string;
  readonly caller: Caller;
  /** The tenant that the path names, when it names one: it exists, and the caller may act in it. */
  readonly tenant: TenantRef;
  readonly requestId: string;
  /** Sets headers of the answer, whatever becomes of the call: a refusal has them, too. */
  readonly setHeaders: (headers: Readonly<Record<string, string>>) => void;
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON; absent for 204. */
  readonly body?: unknown;
  /** JSON that is sent as it is, in place of `body`: stored bytes whose numbers must not pass through JavaScript's. */
  readonly rawBody?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * One call of the API. Mounting and the OpenAPI document are both made from the list of routes (`src/api/routes.ts`), so that neither can
 * have a call that the other has not.
 */
export interface Route<Params = unknown, Query = unknown, Body = unknown> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Express path with `:name` parameters. `:tenant_id` is resolved and authorised before the handler runs. */
  readonly path: `/v1/${string}`;
  readonly access: Access;
  readonly summary: string;
  readonly params: z.ZodType<Params>;
  readonly query: z.ZodType<Query>;
  /** Absent for a route that takes no body; then one that is sent is refused. */
  readonly body?: z.ZodType<Body>;
  /** Bytes of the largest body that is read; `MAX_BODY_BYTES` when absent. */
  readonly largestBody?: (config: Config) => number;
  /** Whether it counts for the tenant's limits (429). */
  readonly isLimited?: true;
  /** Whether it searches a list or waits for a lock of the tenant, and has to wait for the tenant's turn (429). */
  readonly isScan?: true;
  /** Whether it compiles or tries what a tenant made up (schemas, filters), which is counted for the tenant (429). */
  readonly isCharged?: true;
  /** Statuses of success with what they carry; null for no body. */
  readonly responses: Readonly<Record<number, { readonly description: string; readonly schema: z.ZodType | null }>>;
  readonly handle: (request: RouteRequest<Params, Query, Body>, context: Context) => Promise<Reply>;
}

/** Keeps the types of a route's schemas for its handler, and forgets them for the list. */
export function defineRoute<Params, Query, Body>(route: Route<Params, Query, Body>): Route {
  return route as unknown as Route;
}

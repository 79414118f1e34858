import { ingestPaths, rateLimitHeaders } from './openapi-ingest.ts';
import {
  ANYWHERE,
  problemComponents,
  problemResponse,
  problemResponses,
  type Reference,
  type ResponseObject,
} from './openapi-problem.ts';
import { type Components, type JsonSchema, jsonSchemaOf } from './openapi-schema.ts';
import { servicePaths } from './openapi-service.ts';
import type { Route } from './route.ts';

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** `public`, `operator`, or the scope that a tenant key needs. */
  readonly 'x-access': string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  /** References are to errors. */
  readonly responses: Readonly<Record<string, ResponseObject | Reference>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly security: readonly unknown[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Components;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

const description =
  'Webhook delivery. Send `Authorization: Bearer <key>`: an operator key reaches every tenant, a tenant key its own, within its scopes (`x-access` names the one that a call needs; `GET /v1/key` tells whose a key is). Errors are `application/problem+json` (RFC 9457). Lists come newest first, with `next` as the `cursor` of the next page. HEAD is answered where GET is; a method that a path does not take is 405, with `Allow`.';

/** The OpenAPI 3.1 document, made from the same list that the routes are mounted from. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const schemas: Components = {};
  const paths: Record<string, Record<string, Operation>> = ingestPaths(schemas) as Record<
    string,
    Record<string, Operation>
  >;
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route, schemas) };
  }
  Object.assign(paths, servicePaths(schemas));
  const responses = problemComponents(schemas);
  return {
    openapi: '3.1.0',
    info: { title: 'Posthorn', version, description },
    security: [{ key: [] }],
    paths,
    components: { schemas, responses, securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
  };
}

function operationOf(route: Route, components: Components): Operation {
  const parameters = [...pathParameters(route, components), ...queryParameters(route, components)];
  const statuses = [
    ...ANYWHERE,
    401,
    ...(route.access === 'any_key' ? [] : [403]),
    ...(route.path.includes('/:') ? [404] : []),
    ...(route.method === 'get' ? [] : [409]),
    ...(route.body === undefined ? [] : [413, 415]),
    422,
    ...(route.isScan || route.isCharged ? [429] : []),
  ];
  return {
    operationId: operationId(route),
    tags: [tagOf(route)],
    summary: route.summary,
    'x-access': route.access,
    ...(route.access === 'public' ? { security: [] } : {}),
    parameters,
    ...bodyOf(route, components),
    responses: {
      ...successes(route, components),
      ...problemResponses(statuses),
      ...(route.isLimited && { 429: problemResponse(429, components, rateLimitHeaders) }),
    },
  };
}

/** `delete_tenants_keys` for `DELETE /v1/tenants/:tenant_id/keys/:key_id`, with `_by_id` where it ends in an id. */
function operationId({ method, path }: Route): string {
  const words = path
    .split('/')
    .slice(2)
    .filter((part) => !part.startsWith(':'));
  return [method, ...words.map((word) => word.replaceAll('-', '_')), ...(/:\w+$/.test(path) ? ['by_id'] : [])].join(
    '_',
  );
}

/** The resource: what comes after the tenant, or tenants themselves. */
function tagOf({ path }: Route): string {
  const [, , first = '', , second] = path.split('/');
  return second ?? first;
}

function pathParameters(route: Route, components: Components): Parameter[] {
  const { properties = {} } = jsonSchemaOf(route.params, 'input', components) as {
    properties?: Record<string, JsonSchema>;
  };
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
  return names.map((name) => ({ name, in: 'path', required: true, schema: properties[name] ?? { type: 'string' } }));
}

/** In a URL it is text, but what callers mean is a number. */
const limitSchema: JsonSchema = { type: 'integer', minimum: 1, maximum: 250, default: 50 };

function queryParameters(route: Route, components: Components): Parameter[] {
  const { properties = {}, required = [] } = jsonSchemaOf(route.query, 'input', components) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: name === 'limit' ? limitSchema : schema,
  }));
}

function bodyOf(route: Route, components: Components): Pick<Operation, 'requestBody'> {
  if (route.body === undefined) return {};
  const schema = jsonSchemaOf(route.body, 'input', components);
  // No body says `{}`. The schema alone does not tell whether that will do: it may be a choice, or ask for one of several fields.
  const required = !route.body.safeParse({}).success;
  return { requestBody: { required, content: { 'application/json': { schema } } } };
}

function successes(route: Route, components: Components): Operation['responses'] {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, response]) => {
      const content = response.schema && {
        'application/json': { schema: jsonSchemaOf(response.schema, 'output', components) },
      };
      const headers = route.isLimited && { headers: rateLimitHeaders };
      return [status, { description: response.description, ...headers, ...(content && { content }) }];
    }),
  );
}

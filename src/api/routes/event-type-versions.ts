import { z } from 'zod';
import type { Context } from '../../context.ts';
import type { TenantRef } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import type { JsonSchema } from '../../event-types/json-schema.ts';
import { SchemaDesk } from '../../event-types/schema-desk.ts';
import { MAX_DIFF_LENGTH, problemInDiff } from '../../event-types/schema-diff.ts';
import { parseVersion, type TypeVersion, versionText } from '../../event-types/type-version.ts';
import { EVENT_TYPE, isReservedType } from '../../routing/type-pattern.ts';
import * as versions from '../../store/event-type-versions.ts';
import {
  type EventType,
  type EventTypeVersion,
  findEventType,
  findVersion as findOne,
} from '../../store/event-types.ts';
import { checkExample } from '../check-version.ts';
import { eventTypeVersionJson } from '../event-type-json.ts';
import { eventTypeVersionSchema, versionInput, versionPatch } from '../event-type-schema.ts';
import { refuseInexactNumbers } from '../inexact-numbers.ts';
import { registerVersion } from '../register-version.ts';
import { defineRoute } from '../route.ts';
import { tenantNotFound } from '../tenant-not-found.ts';
import { typeNotFound } from './event-types.ts';

const noQuery = z.strictObject({});
const params = z.strictObject({ type: z.string().max(512), version: z.string().max(64) });
const version = { 200: { description: 'The version as it is now', schema: eventTypeVersionSchema } };
const versionName = z.string().regex(/^\d{1,9}\.\d{1,9}(\.\d{1,9})?$/, 'expected a version such as 1.0');

interface Found {
  readonly type: EventType;
  readonly version: EventTypeVersion;
}

async function findVersion(prisma: Context['prisma'], tenant: TenantRef, type: string, name: string): Promise<Found> {
  const found = await findEventType(prisma, tenant, type);
  if (found === null) throw typeNotFound();
  const wanted = parseVersion(name);
  const known = wanted === null ? null : await findOne(prisma, found, wanted);
  if (known === null) throw new Refusal(404, 'version_not_found', 'The event type has no such version.');
  return { type: found, version: known };
}

export const putEventTypeVersion = defineRoute({
  method: 'put',
  path: '/v1/tenants/:tenant_id/event-types/:type/versions/:version',
  access: 'endpoints:write',
  summary: 'Register a version of an event type, and the type with its first. Schema and casts never change afterwards',
  params,
  query: noQuery,
  body: versionInput,
  isCharged: true,
  responses: { ...version, 201: { description: 'The new version', schema: eventTypeVersionSchema } },
  handle: async ({ tenant, params: { type, version: name }, body, bodyText, caller }, { prisma, schemaTurns }) => {
    const numbers = checkNames(type, name);
    refuseInexactNumbers(bodyText);
    const desk = new SchemaDesk(schemaTurns, tenant.num);
    const registered = await registerVersion({ prisma, desk }, tenant, type, numbers, body, caller);
    return { status: registered.isNew ? 201 : 200, body: eventTypeVersionJson(type, registered.version) };
  },
});

/** @throws Refusal 422 when no producer could send such a type or version */
function checkNames(type: string, name: string): TypeVersion {
  const numbers = parseVersion(name);
  const faults = [];
  if (!EVENT_TYPE.test(type)) {
    const message = 'expected dotted segments of letters, digits, _ and -, at most 128 characters';
    faults.push({ path: 'type', message });
  } else if (isReservedType(type)) {
    faults.push({ path: 'type', message: 'types that begin with system are kept for Posthorn itself' });
  }
  if (numbers === null) faults.push({ path: 'version', message: 'expected a version such as 1.0 or 1.0.1' });
  if (numbers === null || faults.length > 0) {
    throw new Refusal(422, 'invalid', 'The path names no event type and version.', { faults });
  }
  return numbers;
}

export const getEventTypeVersion = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/event-types/:type/versions/:version',
  access: 'endpoints:read',
  summary: 'Read a version of an event type: its schema, example and casts',
  params,
  query: noQuery,
  responses: { 200: { description: 'The version', schema: eventTypeVersionSchema } },
  handle: async ({ tenant, params: { type, version: name } }, { prisma }) => {
    const found = await findVersion(prisma, tenant, type, name);
    return { status: 200, body: eventTypeVersionJson(type, found.version) };
  },
});

export const updateEventTypeVersion = defineRoute({
  method: 'patch',
  path: '/v1/tenants/:tenant_id/event-types/:type/versions/:version',
  access: 'endpoints:write',
  summary: 'Change the description, the example or the state of a version',
  params,
  query: noQuery,
  body: versionPatch,
  isCharged: true,
  responses: version,
  handle: async ({ tenant, params: { type, version: name }, body, bodyText, caller }, { prisma, schemaTurns }) => {
    refuseInexactNumbers(bodyText);
    const found = await findVersion(prisma, tenant, type, name);
    const { description, state } = body;
    if (body.example !== undefined) {
      const desk = new SchemaDesk(schemaTurns, tenant.num);
      const validate = await desk.compile(JSON.parse(found.version.schema) as JsonSchema, 'example');
      await checkExample(body.example, validate, desk);
    }
    const example = body.example === undefined ? undefined : JSON.stringify(body.example);
    const changes = { description, state, example };
    if (!(await versions.updateVersion(prisma, tenant, found.type, found.version, changes, caller)))
      throw tenantNotFound();
    const now = await findVersion(prisma, tenant, type, name);
    return { status: 200, body: eventTypeVersionJson(type, now.version) };
  },
});

/** Problems that a diff shows. */
const MAX_PROBLEMS = 100;
const cut = `Cut at ${MAX_DIFF_LENGTH / 1024} Ki characters of JSON.`;

const fault = z.object({ path: z.string(), message: z.string() });
const place = z.object({ path: z.string(), schema: z.unknown() });

export const diffEventTypeVersions = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/event-types/:type/diff',
  access: 'endpoints:read',
  summary: 'Tell what differs between two versions of an event type',
  params: z.strictObject({ type: z.string().max(512) }),
  query: z.strictObject({ from: versionName, to: versionName }),
  isCharged: true,
  responses: {
    200: {
      description: 'What is said of each path of the data in one version only, or otherwise in both',
      schema: z.object({
        type: z.string(),
        from: z.string(),
        to: z.string(),
        compatible: z.boolean().describe('Whether `to` accepts all that `from` accepts, as far as can be shown.'),
        problems: z.array(fault).describe(`The first ${MAX_PROBLEMS}, by the paths of the lists below.`),
        added: z.array(place).describe(cut),
        removed: z.array(place).describe(cut),
        changed: z.array(z.object({ path: z.string(), from: z.unknown(), to: z.unknown() })).describe(cut),
      }),
    },
  },
  handle: async ({ tenant, params: { type }, query }, { prisma, schemaTurns }) => {
    const [from, to] = await Promise.all(
      [query.from, query.to].map((name) => findVersion(prisma, tenant, type, name).then((found) => found.version)),
    );
    const [older, newer] = [from!, to!].map(({ schema }) => JSON.parse(schema) as JsonSchema);
    const desk = new SchemaDesk(schemaTurns, tenant.num);
    const problems = await desk.compare(older!, newer!);
    const names = { type, from: versionText(from!), to: versionText(to!) };
    const compatible = problems.length === 0;
    const body = {
      ...names,
      compatible,
      problems: problems.slice(0, MAX_PROBLEMS).map(problemInDiff),
      ...(await desk.diff(older!, newer!)),
    };
    return { status: 200, body };
  },
});

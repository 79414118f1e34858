import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import type { SchemaDesk } from '../event-types/schema-desk.ts';
import { compareVersions, type TypeVersion } from '../event-types/type-version.ts';
import { registerVersion as register, updateVersion } from '../store/event-type-versions.ts';
import {
  type EventTypeVersion,
  findEventType,
  findVersion,
  findWholeType,
  MAX_EVENT_TYPES,
  MAX_VERSIONS,
} from '../store/event-types.ts';
import { checkExample, checkVersion, isKnown } from './check-version.ts';
import type { VersionInput } from './event-type-schema.ts';
import { tenantNotFound } from './tenant-not-found.ts';

export interface RegisteredVersion {
  readonly version: EventTypeVersion;
  readonly isNew: boolean;
}

const MAX_TRIES = 20;
/**
 * The longest pause after the first try, in ms; it grows with each further try. How long each is, is random, so that calls that collided do
 * not collide again.
 */
const PAUSE_MS = 20;

/**
 * Registers a version, or changes what may change of one that exists. The check takes no lock, so that events are not held up. If other
 * versions of the type are registered meanwhile, it is checked again.
 * @throws Refusal 404, 409, 422, 429
 */
export async function registerVersion(
  { prisma, desk }: Pick<Context, 'prisma'> & { readonly desk: SchemaDesk },
  tenant: TenantRef,
  type: string,
  version: TypeVersion,
  input: VersionInput,
  caller: Caller,
): Promise<RegisteredVersion> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const found = await findWholeType(prisma, tenant, type);
    const known = found?.versions.find((each) => compareVersions(each, version) === 0);
    if (found !== null && known !== undefined) {
      isKnown(known, input);
      const { description, state, validation } = input;
      const example = await exampleOf(input, known, desk);
      const changes = { description, state, example, validation };
      if (!(await updateVersion(prisma, tenant, found, known, changes, caller))) throw tenantNotFound();
      return { version: await reread(prisma, tenant, type, version), isNew: false };
    }
    const others = found?.versions ?? [];
    const checked = await checkVersion(version, input, others, desk);
    const { description = '', state = 'active', validation } = input;
    const row = { ...version, description, state, validation, ...checked };
    const result = await register(prisma, tenant, type, row, others, caller);
    if (result === 'created') return { version: await reread(prisma, tenant, type, version), isNew: true };
    if (result !== 'changed') throw refusalOf(result);
    await sleep(Math.random() * PAUSE_MS * tries);
  }
  throw new Refusal(409, 'conflict', 'Others are registering versions of the type. Try again.');
}

async function exampleOf(
  { example }: VersionInput,
  known: EventTypeVersion,
  desk: SchemaDesk,
): Promise<string | undefined> {
  if (example === undefined) return undefined;
  await checkExample(example, await desk.compile(JSON.parse(known.schema), 'example'), desk);
  return JSON.stringify(example);
}

async function reread(
  prisma: Context['prisma'],
  tenant: TenantRef,
  type: string,
  version: TypeVersion,
): Promise<EventTypeVersion> {
  const found = await findEventType(prisma, tenant, type);
  return (await findVersion(prisma, found!, version))!;
}

function refusalOf(problem: 'tenant_gone' | 'too_many_types' | 'too_many_versions'): Refusal {
  switch (problem) {
    case 'tenant_gone':
      return tenantNotFound();
    case 'too_many_types':
      return new Refusal(409, 'too_many_event_types', `A tenant has at most ${MAX_EVENT_TYPES} event types.`);
    case 'too_many_versions':
      return new Refusal(409, 'too_many_versions', `An event type has at most ${MAX_VERSIONS} versions.`);
  }
}

import type { z } from 'zod';
import type { Cast } from '../event-types/cast.ts';
import { versionText } from '../event-types/type-version.ts';
import type { EventType, EventTypeVersion, VersionSummary } from '../store/event-types.ts';
import type { eventTypeSchema, eventTypeVersionSchema } from './event-type-schema.ts';

export function eventTypeJson(found: EventType): z.infer<typeof eventTypeSchema> {
  const { type, description, validation, versions, createdAt, updatedAt } = found;
  return {
    type,
    description,
    validation,
    versions: versions.map(summaryJson),
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}

export function eventTypeVersionJson(type: string, version: EventTypeVersion): z.infer<typeof eventTypeVersionSchema> {
  const { schema, example, casts } = version;
  return {
    type,
    ...summaryJson(version),
    schema: JSON.parse(schema),
    ...(example === null ? {} : { example: JSON.parse(example) }),
    casts: casts === null ? null : castJson(JSON.parse(casts) as Cast),
  };
}

function castJson({ removes, inherited = false, ...cast }: Cast) {
  return { ...cast, removes: [...removes], inherited };
}

function summaryJson(version: VersionSummary) {
  const { description, state, createdAt, updatedAt } = version;
  return {
    version: versionText(version),
    description,
    state,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}

import { z } from 'zod';
import { VALIDATION_MODES, VERSION_STATES } from '../domain/event-type.ts';
import { plainText } from './plain-text.ts';

const description = plainText(0, 1000);

/** Characters of JSON of an example, and of casts. */
const MAX_LENGTH = 16 * 1024;
const isShort = (value: unknown) => value === undefined || JSON.stringify(value).length <= MAX_LENGTH;
const tooLong = `expected at most ${MAX_LENGTH} characters of JSON`;

const example = z.unknown().refine(isShort, tooLong).optional();

export const validationMode = z
  .enum(VALIDATION_MODES)
  .describe(
    'What becomes of events that their schema refuses: nothing (`off`), a line in the log (`warn`), or 422 (`enforce`).',
  );

const state = z
  .enum(VERSION_STATES)
  .describe('`deprecated` versions are still taken; events of an `archived` one count as not valid.');

const jsonSchema = z
  .unknown()
  .refine((value) => value !== undefined, 'required')
  .meta({
    type: ['object', 'boolean'],
    description: 'A JSON Schema (2020-12) of the `data` of events, self-contained.',
  });

const paths = z.record(z.string().max(500), z.unknown());

const castFields = {
  renames: z
    .record(z.string().max(500), z.string().max(500))
    .describe('Older path → newer path, such as `customer_id` → `customer.id`.'),
  defaults: paths.describe(
    'Newer path → what it is in events of the older version. Left out for receivers of the older one.',
  ),
  removes: z.array(z.string().max(500)).describe('Older paths that the newer version has no more.'),
  restores: paths.describe('The same, with what receivers of the older version get there.'),
};

const castsInput = z
  .strictObject({
    from: z
      .string()
      .regex(/^\d{1,9}\.(x|\d{1,9}(\.\d{1,9})?)$/, 'expected a version such as 1.2, or 1.x for the newest of a major')
      .describe('A version of an older major: `1.2`, or `1.x` for the newest that is there now.'),
    renames: castFields.renames.optional(),
    defaults: castFields.defaults.optional(),
    removes: castFields.removes.optional(),
    restores: castFields.restores.optional(),
  })
  .refine(isShort, tooLong)
  .describe(
    'How `data` goes between this version and one of an older major, in both directions. Paths are names joined by dots, `[]` for each item.',
  );

export const versionInput = z.strictObject({
  schema: jsonSchema,
  description: description.optional(),
  example: example.describe('A `data` that the schema accepts.'),
  state: state.optional(),
  casts: castsInput.nullish(),
  validation: validationMode.optional(),
});

export type VersionInput = z.infer<typeof versionInput>;

export const versionPatch = z.strictObject({
  description: description.optional(),
  example,
  state: state.optional(),
});

export const typePatch = z.strictObject({ description: description.optional(), validation: validationMode.optional() });

const summary = z.object({
  version: z.string(),
  description: z.string(),
  state,
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export const eventTypeSchema = z
  .object({
    type: z.string(),
    description: z.string(),
    validation: validationMode,
    versions: z.array(summary).describe('Oldest first.'),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'EventType' });

export const eventTypeVersionSchema = summary
  .extend({
    type: z.string(),
    schema: z.unknown(),
    example: z.unknown().optional(),
    casts: z
      .object({
        from: z.string(),
        ...castFields,
        inherited: z.boolean().describe('Whether an earlier version of the same major declared them.'),
      })
      .nullable(),
  })
  .meta({ id: 'EventTypeVersion' });

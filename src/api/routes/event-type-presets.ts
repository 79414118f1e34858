import { z } from 'zod';
import { Refusal } from '../../domain/errors.ts';
import { presets } from '../../event-types/presets.ts';
import { SchemaDesk } from '../../event-types/schema-desk.ts';
import { findEventType } from '../../store/event-types.ts';
import { validationMode } from '../event-type-schema.ts';
import { registerVersion } from '../register-version.ts';
import { defineRoute } from '../route.ts';

const FIRST = { major: 1, minor: 0, patch: 0 };

const adopted = z.object({
  type: z.string(),
  status: z.enum(['created', 'kept']).describe('`kept`: the tenant has the type already, and it stays as it is.'),
});

export const adoptPreset = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/event-types/presets/:preset',
  access: 'endpoints:write',
  summary: `Adopt a catalogue of event types, each in version 1.0: ${presets.map(({ name }) => name).join(', ')}`,
  params: z.strictObject({ preset: z.string().max(128) }),
  query: z.strictObject({}),
  body: z.strictObject({ validation: validationMode.optional() }),
  isCharged: true,
  responses: {
    200: {
      description: 'The types of the catalogue, and what became of each',
      schema: z.object({ preset: z.string(), types: z.array(adopted) }),
    },
  },
  handle: async ({ tenant, params: { preset: name }, body, caller }, { prisma, schemaTurns }) => {
    const preset = presets.find((each) => each.name === name);
    if (preset === undefined) {
      const known = presets.map((each) => each.name).join(', ');
      throw new Refusal(404, 'preset_not_found', `There is no such preset. Known: ${known}.`);
    }
    // One desk for all types: each of them finds less left once those before it have spent some.
    const desk = new SchemaDesk(schemaTurns, tenant.num);
    const types: z.infer<typeof adopted>[] = [];
    for (const { type, ...version } of preset.types) {
      const isThere = (await findEventType(prisma, tenant, type)) !== null;
      if (!isThere) await registerVersion({ prisma, desk }, tenant, type, FIRST, { ...version, ...body }, caller);
      types.push({ type, status: isThere ? 'kept' : 'created' });
    }
    return { status: 200, body: { preset: name, types } };
  },
});

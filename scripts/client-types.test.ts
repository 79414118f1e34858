import { expect, test } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../src/api/openapi.ts';
import { defineRoute, type Route } from '../src/api/route.ts';
import { clientTypes } from './client-types.ts';

const thing = z.object({ id: z.string(), size: z.int().nullable() }).meta({ id: 'Thing' });
const route: Route = defineRoute({
  method: 'post',
  path: '/v1/things/:thing_id/copies',
  access: 'operator',
  summary: 'Copy a thing',
  params: z.strictObject({ thing_id: z.string() }),
  query: z.strictObject({ depth: z.enum(['one', 'all']).optional().describe('Default: `one`.') }),
  body: z.strictObject({ name: z.string().optional() }),
  responses: { 201: { description: 'The copy', schema: thing }, 204: { description: 'Nothing', schema: null } },
  handle: async () => ({ status: 204 }),
});

test('an operation has what it takes and what it answers, and schemas their names', () => {
  const types = clientTypes(openApiDocument([route], '0.0.0'));
  expect(types).toContain('export type Thing = {\n  id: string;\n  size: number | null;\n};');
  expect(types).toContain(`  /** Copy a thing. Access: operator. */
  'POST /v1/things/{thing_id}/copies': {
    input: {
      params: {
        thing_id: string;
      };
      query?: {
        /** Default: \`one\`. */
        depth?: 'one' | 'all' | undefined;
      };
      body?: {
        name?: string | undefined;
      };
    };
    answer: Thing | undefined;
  };`);
  expect(types).toContain("  | 'idempotency_conflict'\n");
});

test('a call that takes nothing says so, and text is text', () => {
  const types = clientTypes(openApiDocument([], '0.0.0'));
  expect(types).toContain("  'GET /metrics': {\n    input: Record<never, never>;\n    answer: string;\n  };");
});

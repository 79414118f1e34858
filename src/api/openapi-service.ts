import { z } from 'zod';
import { ANYWHERE, problemResponses } from './openapi-problem.ts';
import { type Components, jsonSchemaOf } from './openapi-schema.ts';

const report = z.object({
  status: z.string(),
  problems: z.array(z.string()).describe('What is wrong, in a few words each; empty when all is well.'),
});

/** What a process says of itself and of its API, mounted apart from the list of routes because it is outside `/v1` and open to anybody. */
export function servicePaths(components: Components): Record<string, unknown> {
  const health = { 'application/json': { schema: jsonSchemaOf(report, 'output', components) } };
  const text = { schema: { type: 'string' } };
  return {
    '/healthz': get('get_healthz', 'Whether the process makes progress: when it does not, restart it', {
      200: { description: 'It does', content: health },
      503: { description: 'It is stuck', content: health },
    }),
    '/readyz': get('get_readyz', 'Whether the process can do its work now: when it cannot, send it none', {
      200: { description: 'It can', content: health },
      503: { description: 'It cannot, or is about to stop', content: health },
    }),
    '/metrics': get('get_metrics', 'What the process measures, for Prometheus', {
      200: { description: 'The text format', content: { 'text/plain': text } },
    }),
    '/openapi.json': get('get_openapi', 'This document', {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    }),
    '/docs': get('get_docs', 'The calls of the API, for people', {
      200: { description: 'A page without scripts', content: { 'text/html': text } },
    }),
  };
}

function get(operationId: string, summary: string, responses: Record<number, unknown>) {
  const open = { 'x-access': 'public', security: [], parameters: [] };
  return {
    get: {
      operationId,
      tags: ['service'],
      summary,
      ...open,
      responses: { ...problemResponses(ANYWHERE), ...responses },
    },
  };
}

import { z } from 'zod';
import { sourceInput } from '../../config/source-schema.ts';
import { splitSecrets } from '../../config/source-secrets.ts';
import type { Context } from '../../context.ts';
import { Refusal } from '../../domain/errors.ts';
import { readStates } from '../../store/source-states.ts';
import * as sources from '../../store/sources.ts';
import { objectId } from '../object-id.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import { defineRoute } from '../route.ts';
import { sourceJson, sourceSchema } from '../source-json.ts';

export const sourceParams = z.strictObject({ source_id: objectId('src') });
const noQuery = z.strictObject({});
export const sourceNotFound = () => new Refusal(404, 'source_not_found', 'The source does not exist.');

export const createSource = defineRoute({
  method: 'post',
  path: '/v1/sources',
  access: 'operator',
  summary: 'Begin to take events in from a broker',
  params: z.strictObject({}),
  query: noQuery,
  body: sourceInput,
  responses: { 201: { description: 'The source', schema: sourceSchema } },
  handle: async ({ body, caller }, context) => {
    if (body.tenant_id !== undefined && (await context.findTenant(body.tenant_id)) === null) {
      const fault = { path: 'tenant_id', message: 'no such tenant' };
      throw new Refusal(422, 'invalid', 'The tenant of the source does not exist.', { faults: [fault] });
    }
    const { name, type } = body;
    const input = { name, type, origin: 'api', ...splitSecrets(body) } as const;
    const source = await sources.createSource(context, input, caller.actor);
    if (source === null) throw new Refusal(409, 'source_exists', `There is a source ${name} already.`);
    return { status: 201, body: sourceJson(source, []) };
  },
});

export const listSources = defineRoute({
  method: 'get',
  path: '/v1/sources',
  access: 'operator',
  summary: 'List sources with their state and lag',
  params: z.strictObject({}),
  query: z.strictObject(pagingQuery),
  responses: { 200: { description: 'A page of sources', schema: pageOf(sourceSchema) } },
  handle: async ({ query }, { prisma, apiPool, cursors }) => {
    const fetch = (after: string | undefined, limit: number) =>
      sources.listSources(prisma, after === undefined ? undefined : Number(after), limit);
    const { rows, next } = await readPage(cursors, query, ['sources'], fetch, ({ num }) => String(num));
    const states = await readStates(
      apiPool,
      rows.map(({ num }) => num),
    );
    return { status: 200, body: { data: rows.map((row) => sourceJson(row, states)), next } };
  },
});

export const getSource = defineRoute({
  method: 'get',
  path: '/v1/sources/:source_id',
  access: 'operator',
  summary: 'Read a source with its state and lag',
  params: sourceParams,
  query: noQuery,
  responses: { 200: { description: 'The source', schema: sourceSchema } },
  handle: ({ params }, context) => answer(params.source_id, 200, context),
});

export const deleteSource = defineRoute({
  method: 'delete',
  path: '/v1/sources/:source_id',
  access: 'operator',
  summary: 'Take nothing more in from a source; what it rejected stays until retention',
  params: sourceParams,
  query: noQuery,
  responses: { 204: { description: 'Deleted', schema: null } },
  handle: async ({ params, caller }, { prisma }) => {
    switch (await sources.deleteSource(prisma, params.source_id, caller.actor)) {
      case 'not_found':
        throw sourceNotFound();
      case 'of_file':
        throw new Refusal(
          409,
          'source_of_file',
          'The source is written in SOURCES_FILE: take it out there, or pause it.',
        );
      case 'changed':
        return { status: 204 };
    }
  },
});

export const pauseSource = pausing('pause', 'Take nothing in from a source until it is resumed');
export const resumeSource = pausing('resume', 'Take events in from a source again');

function pausing(verb: 'pause' | 'resume', summary: string) {
  return defineRoute({
    method: 'post',
    path: `/v1/sources/:source_id/${verb}`,
    access: 'operator',
    summary,
    params: sourceParams,
    query: noQuery,
    responses: {
      202: { description: 'The source; its consumers go by it within a few seconds', schema: sourceSchema },
    },
    handle: async ({ params, caller }, context) => {
      const change = await sources.setPaused(context.prisma, params.source_id, verb === 'pause', caller.actor);
      if (change === 'not_found') throw sourceNotFound();
      return answer(params.source_id, 202, context);
    },
  });
}

async function answer(id: string, status: number, { prisma, apiPool }: Context) {
  const source = await sources.findSource(prisma, id);
  if (source === null) throw sourceNotFound();
  return { status, body: sourceJson(source, await readStates(apiPool, [source.num])) };
}

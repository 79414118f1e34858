import { z } from 'zod';
import { storableText } from '../../config/storable-text.ts';
import type { Context } from '../../context.ts';
import { Refusal } from '../../domain/errors.ts';
import * as rejected from '../../store/rejected-messages.ts';
import { findSource, type SourceRecord } from '../../store/sources.ts';
import { pageOf, pagingQuery, readPage } from '../paging.ts';
import {
  rejectedMessageJson,
  rejectedMessageSchema,
  wholeRejectedJson,
  wholeRejectedSchema,
} from '../rejected-message-json.ts';
import { defineRoute } from '../route.ts';
import { sourceNotFound, sourceParams } from './sources.ts';

const MAX_IDS = 1_000;
const noQuery = z.strictObject({});
const messageId = z.uuid().describe('Id of the rejected message.');
const reason = storableText.min(1).max(64).describe('Only those rejected for this reason.');
const group = storableText.min(1).max(300).describe('Only those of this partition (`topic/partition`) or queue.');

const choice = z
  .strictObject({
    ids: z.array(messageId).min(1).max(MAX_IDS).optional(),
    reason: reason.optional(),
    group: group.optional(),
  })
  .describe('Those that all of it says; with nothing said, all.');

const countSchema = z.object({ messages: z.number().int() });

export const listRejected = defineRoute({
  method: 'get',
  path: '/v1/sources/:source_id/rejected',
  access: 'operator',
  summary: 'List the messages of a source that are no event',
  params: sourceParams,
  query: z.strictObject({ ...pagingQuery, reason: reason.optional(), group: group.optional() }),
  responses: { 200: { description: 'A page of messages', schema: pageOf(rejectedMessageSchema) } },
  handle: async ({ params, query }, context) => {
    const { num, id } = await sourceOf(params.source_id, context);
    const fetch = (after: string | undefined, limit: number) =>
      rejected.listRejected(context.apiPool, num, query, after, limit);
    const belongsTo = ['rejected', id, query.reason, query.group];
    const { rows, next } = await readPage(context.cursors, query, belongsTo, fetch, (message) => message.id);
    return { status: 200, body: { data: rows.map(rejectedMessageJson), next } };
  },
});

export const getRejected = defineRoute({
  method: 'get',
  path: '/v1/sources/:source_id/rejected/:message_id',
  access: 'operator',
  summary: 'Read a rejected message, bytes and all',
  params: sourceParams.extend({ message_id: messageId }),
  query: noQuery,
  responses: { 200: { description: 'The message', schema: wholeRejectedSchema } },
  handle: async ({ params }, context) => {
    const { num } = await sourceOf(params.source_id, context);
    const found = await rejected.findRejected(context.apiPool, num, params.message_id);
    if (found === null) throw new Refusal(404, 'rejected_message_not_found', 'The rejected message does not exist.');
    return { status: 200, body: wholeRejectedJson(found) };
  },
});

export const retryRejected = defineRoute({
  method: 'post',
  path: '/v1/sources/:source_id/rejected/retry',
  access: 'operator',
  summary:
    'Try rejected messages again, by the mapping that the source has now; those that were cut short are left out',
  params: sourceParams,
  query: noQuery,
  body: choice,
  responses: { 202: { description: 'How many are tried again soon', schema: countSchema } },
  handle: async ({ params, body, caller }, context) => {
    const source = await findSource(context.prisma, params.source_id);
    if (source === null) throw sourceNotFound();
    const messages = await rejected.requestRetry(context.prisma, source, body, caller.actor);
    return { status: 202, body: { messages } };
  },
});

export const discardRejected = defineRoute({
  method: 'post',
  path: '/v1/sources/:source_id/rejected/discard',
  access: 'operator',
  summary: 'Forget rejected messages',
  params: sourceParams,
  query: noQuery,
  body: choice,
  responses: { 200: { description: 'How many were forgotten', schema: countSchema } },
  handle: async ({ params, body, caller }, context) => {
    const source = await sourceOf(params.source_id, context);
    const messages = await rejected.discardRejected(context.prisma, source, body, caller.actor);
    return { status: 200, body: { messages } };
  },
});

/** The source by its id, deleted or not. */
async function sourceOf(id: string, { prisma }: Context): Promise<SourceRecord> {
  const source = await findSource(prisma, id, { deleted: true });
  if (source === null) throw sourceNotFound();
  return source;
}

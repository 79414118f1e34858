import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../context.ts';
import type { Caller } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import { acceptEvents } from '../../ingest/accept.ts';
import { idempotencyKey } from '../../ingest/event-input.ts';
import type { ItemResult } from '../../ingest/plan-group.ts';
import { readCloudEvents } from '../../ingest/read-cloud-events.ts';
import { type ReadRequest, readRequest } from '../../ingest/read-request.ts';
import { bodyBudget } from '../body-budget.ts';
import { checkInput } from '../check-input.ts';
import { FIXED_HEADERS, setFixedHeaders } from '../fixed-headers.ts';
import { type IngestFormat, ingestFormatOf } from '../ingest-format.ts';
import { chargeBody, chargeLimits, checkLimits, countAccepted } from '../ingest-limits.ts';
import { authorize } from '../mount-route.ts';
import { refusalOf } from '../problem.ts';
import { readBytes } from '../read-bytes.ts';
import { newRequestId } from '../request-id.ts';

const noQuery = z.strictObject({});

/**
 * `POST /v1/events`, the hot route. It is mounted before the others, so that it passes none of their handlers: it reads raw bytes, and sets
 * all headers of an answer at once. The key is checked before the body is read, so that strangers cost little.
 */
export function mountIngest(app: Express, context: Context): void {
  const { config, observe } = context;
  const read = readBytes(config.MAX_BATCH_BYTES);
  const budget = bodyBudget({
    budgetBytes: config.INGEST_BUFFER_BYTES / 2,
    unannouncedBytes: config.MAX_BATCH_BYTES / 8,
  })(config.MAX_BATCH_BYTES);

  const admit: RequestHandler = async (request, response, next) => {
    response.locals.requestId = newRequestId();
    response.locals.caller = await authorize(request, 'events:write', context);
    if (request.url.includes('?')) checkInput(noQuery, request.query, 'query');
    response.locals.format = ingestFormatOf(request.headers);
    await checkLimits(request, response, response.locals.caller, context);
    next();
  };

  const countRefusal: ErrorRequestHandler = (error, _request, response, next) => {
    if (!response.headersSent) {
      setFixedHeaders(response);
      response.setHeader('x-request-id', response.locals.requestId);
    }
    observe.ingestRefused(refusalOf(error).code);
    next(error);
  };

  const accept: RequestHandler = async (request: Request, response: Response) => {
    const body = bodyOf(request);
    const { caller } = response.locals;
    const { isBatch, events, idempotencyKey } = await readOrCharge(request, response, body, context);
    if (events.length === 0) {
      await chargeBody(body.length, response, caller, context);
      acknowledge(response, { accepted: 0, duplicates: 0, items: [] });
      return;
    }
    const options = { isBatch, caller, idempotencyKey };
    const owners = await chargeLimits(events, body.length, response, caller, context);
    const items = await acceptEvents(events, options, context.accept);
    countAccepted(items, owners, context);
    const duplicates = countDuplicates(items);
    if (duplicates > 0) observe.eventsDuplicate(duplicates);
    acknowledge(response, isBatch ? { accepted: items.length - duplicates, duplicates, items } : items[0]);
  };

  app.post('/v1/events', admit, budget, read, accept, countRefusal);
}

function countDuplicates(items: readonly ItemResult[]): number {
  let count = 0;
  for (const { status } of items) if (status === 'duplicate') count++;
  return count;
}

/** Does what `response.json` does, faster: these answers go out by the thousand a second. */
function acknowledge(response: Response, body: unknown): void {
  const text = JSON.stringify(body);
  const bytes = Buffer.byteLength(text);
  response.writeHead(202, [
    ...FIXED_HEADERS,
    'x-request-id',
    response.locals.requestId,
    'Content-Type',
    'application/json; charset=utf-8',
    'Content-Length',
    String(bytes),
  ]);
  // If all characters are ASCII, as those of our own ids are, nothing needs to be encoded.
  response.end(text, bytes === text.length ? 'latin1' : 'utf8');
}

/** Reads the events of a body. If it holds none, its tenant is charged for the time that reading it took. */
async function readOrCharge(
  request: Request,
  response: Response,
  body: Uint8Array,
  context: Context,
): Promise<ReadRequest & { readonly idempotencyKey: string | undefined }> {
  const { caller, format } = response.locals;
  try {
    const read = eventsOf(request, body, format, caller, context.config);
    return { ...read, idempotencyKey: keyOf(request, read.isBatch) };
  } catch (error) {
    await chargeBody(body.length, response, caller, context);
    throw error;
  }
}

function eventsOf(
  request: Request,
  body: Uint8Array,
  format: IngestFormat,
  caller: Caller,
  { MAX_BATCH_EVENTS: maxEvents, MAX_EVENT_BYTES: maxEventBytes, CLOUDEVENTS_TENANT_EXTENSION }: Config,
): ReadRequest {
  const limits = { maxEvents, maxEventBytes };
  if (format === 'json' || format === 'ndjson') return readRequest(body, format, limits);
  const { rawHeaders, headers } = request;
  const message = { mode: format, contentType: headers['content-type'], rawHeaders, body };
  return readCloudEvents(message, caller.kind === 'operator' ? CLOUDEVENTS_TENANT_EXTENSION : null, limits);
}

function bodyOf(request: Request): Uint8Array {
  return Buffer.isBuffer(request.body) ? request.body : new Uint8Array(0);
}

/** The `Idempotency-Key` header, bare or quoted (draft-ietf-httpapi-idempotency-key-header makes it a quoted string). */
function keyOf(request: Request, isBatch: boolean): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const text = typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : '';
  if (isBatch) throw keyProblem('a header names one event; in a batch, give each event its metadata.idempotency_key');
  if (!idempotencyKey.safeParse(text).success) throw keyProblem('expected 1 to 255 printable ASCII characters');
  return text;
}

function keyProblem(message: string): Refusal {
  return new Refusal(422, 'invalid', 'The Idempotency-Key header is not usable.', {
    faults: [{ path: 'idempotency-key', message }],
  });
}

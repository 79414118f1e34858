import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RawBody, readRawBody } from './raw-body.ts';
import { type VerifyFault, verifySignature } from './verify-signature.ts';
import { parseVerifyingKey } from './verifying-key.ts';

export interface VerifyWebhookOptions {
  /** `whsec_…` or `whpk_…`; while a secret is rotated, the new and the old one. */
  readonly secrets: readonly string[];
  /** How far the timestamp may lie from now, either way. 300 unless given. */
  readonly toleranceSeconds?: number;
  /** Largest body that is read. 1 MiB unless given. */
  readonly maxBytes?: number;
}

/** A genuine webhook: `id` to process it once by, `timestamp` in seconds since 1970, `body` as it arrived. */
export interface ReceivedWebhook {
  readonly id: string;
  readonly timestamp: number;
  readonly body: Buffer;
}

/** A request of node:http, of Express or of anything else that is built on it. */
export type WebhookRequest = IncomingMessage & { webhook?: ReceivedWebhook; readonly body?: unknown };

/**
 * A middleware that lets only genuine webhooks through. It needs no framework: Express, Connect and plain node:http fit.
 *
 * ```ts
 * import express from 'express';
 *
 * const app = express();
 *
 * app.post('/webhooks', verifyWebhook({ secrets: [process.env.WEBHOOK_SECRET!] }), async (req, res) => {
 *   const { id, body } = receivedWebhook(req);
 *   const event = JSON.parse(body.toString());
 *   await processOnce(id, event); // the same id comes again when an answer was lost: remember those that are done
 *   res.sendStatus(204);
 * });
 *
 * app.use(express.json()); // body parsers come after it: they would throw away the bytes that were signed
 * ```
 *
 * Secrets look like `whsec_…` (HMAC, v1) or `whpk_…` (Ed25519 public key, v1a). To rotate one, list the new and the old.
 *
 * It answers by itself, as problem details (RFC 9457) whose `code` says why: 400 for headers that are missing, doubled or
 * malformed; 401 for a timestamp out of tolerance or a signature that does not match; 413 for a body over `maxBytes`; and 500
 * when a body parser ran first, since nothing can be verified then. The Buffer that `express.raw()` leaves is fine. What the
 * handler throws is left to whoever called: Express answers 500, plain node:http ends the process, so catch it there.
 *
 * Throws at once `InvalidSecretError` for a malformed secret, `RangeError` for no secret or a limit that is no limit.
 */
export function verifyWebhook(
  options: VerifyWebhookOptions,
): (req: WebhookRequest, res: ServerResponse, next: () => void) => void {
  const { secrets, toleranceSeconds = 300, maxBytes = 1024 * 1024 } = options;
  if (secrets.length === 0) throw new RangeError('verifyWebhook needs at least one secret.');
  if (!(toleranceSeconds >= 0)) throw new RangeError('toleranceSeconds must not be negative.');
  if (!(maxBytes >= 0)) throw new RangeError('maxBytes must not be negative.');
  const keys = secrets.map(parseVerifyingKey);
  const judge = (req: WebhookRequest, raw: RawBody): ReceivedWebhook | Refusal => {
    if (!raw.ok) return raw.reason;
    const verification = verifySignature(keys, req.headers, raw.bytes, { toleranceSeconds });
    if (!verification.ok) return verification.reason;
    return { id: verification.id, timestamp: verification.timestamp, body: raw.bytes };
  };
  return (req, res, next) => {
    void readRawBody(req, maxBytes).then((raw) => {
      const judged = judge(req, raw);
      if (typeof judged === 'string') return answer(res, judged);
      req.webhook = judged;
      // Behind the promise: Express answers what a handler throws, and of node:http it is the exception that it is without us.
      queueMicrotask(() => next());
    });
  };
}

/** The webhook that `verifyWebhook` let through. Throws when it did not run before: an unverified request is never returned. */
export function receivedWebhook(req: WebhookRequest): ReceivedWebhook {
  if (req.webhook === undefined) throw new Error('receivedWebhook was called on a route without verifyWebhook.');
  return req.webhook;
}

type Refusal = VerifyFault | Exclude<RawBody, { ok: true }>['reason'];

const MISPLACED =
  'The body was read before verifyWebhook, so the bytes that were signed are gone. ' +
  'Mount verifyWebhook before any body parser, or use express.raw() on this route.';

const ANSWERS: Readonly<Record<Exclude<Refusal, 'aborted'>, readonly [status: number, title: string]>> = {
  missing_header: [400, 'webhook-id, webhook-timestamp and webhook-signature are all required.'],
  duplicate_header: [400, 'A webhook header is there more than once.'],
  bad_id: [400, 'webhook-id is 1 to 256 visible ASCII characters, without a dot.'],
  bad_timestamp: [400, 'webhook-timestamp is a whole number of seconds since 1970.'],
  too_old: [401, 'webhook-timestamp is too far in the past.'],
  too_new: [401, 'webhook-timestamp is too far in the future.'],
  no_match: [401, 'No signature matches.'],
  too_large: [413, 'The body is too large.'],
  already_read: [500, MISPLACED],
  body_not_raw: [500, MISPLACED],
};

function answer(res: ServerResponse, refusal: Refusal): void {
  // Nobody is there to read it, or something before us has answered already (a timeout, say).
  if (refusal === 'aborted' || res.headersSent || res.destroyed) return;
  const [status, title] = ANSWERS[refusal];
  res.writeHead(status, { 'content-type': 'application/problem+json' });
  res.end(JSON.stringify({ title, status, code: refusal }));
}

import { randomUUID } from 'node:crypto';
import { storableText } from '../domain/storable-text.ts';
import type { RejectedMessage, StoredRejection } from '../store/rejected-messages.ts';
import type { IncomingMessage } from './intake.ts';
import type { MessageProblem } from './message-problem.ts';

/** Bytes that are kept of a body. */
export const KEPT_BYTES = 256 * 1024;
/** Likewise of a key, and of all headers together. */
const KEY_BYTES = 4 * 1024;
const HEADER_BYTES = 16 * 1024;
const FAULTS = 20;
const TEXT = 1_000;

/** What is kept of a message that is no event: bounded, whatever it was. */
export function rejectedMessage(
  message: IncomingMessage,
  key: string | null,
  problem: MessageProblem,
): RejectedMessage {
  const headers = keptHeaders(message.headers);
  const attributes = [...message.attributes].map(([name, value]) => [name, plain(value)] as const);
  const { wholeBytes = message.body.length } = message;
  const isCut =
    wholeBytes > message.body.length ||
    message.body.length > KEPT_BYTES ||
    (message.key?.length ?? 0) > KEY_BYTES ||
    headers.length < message.headers.size ||
    message.unreadable !== undefined ||
    attributes.some(([name, value]) => value !== message.attributes.get(name));
  return {
    position: message.position,
    // A message that nothing makes known is another one each time it comes.
    identity: key ?? randomUUID(),
    group: message.group,
    reason: problem.reason,
    detail: plain(problem.detail),
    faults: problem.faults
      .slice(0, FAULTS)
      .map(({ path, message: text }) => ({ path: plain(path), message: plain(text) })),
    attributes: Object.fromEntries(attributes),
    headers,
    key: message.key === null ? null : message.key.subarray(0, KEY_BYTES),
    body: message.body.subarray(0, KEPT_BYTES),
    bodyBytes: wholeBytes,
    truncated: isCut,
    messageAt: message.timestampMs === null ? null : new Date(message.timestampMs),
  };
}

/** The message again. Only one that is whole is worth trying. */
export function restoredMessage(row: StoredRejection): IncomingMessage {
  return {
    position: row.position,
    group: row.group,
    attributes: new Map(Object.entries(row.attributes)),
    key: row.key,
    headers: new Map(row.headers.map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    body: row.body,
    timestampMs: row.messageAt?.getTime() ?? null,
  };
}

function keptHeaders(headers: IncomingMessage['headers']): readonly (readonly [string, string])[] {
  const kept: (readonly [string, string])[] = [];
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length;
    if (bytes > HEADER_BYTES || plain(name) !== name) break;
    kept.push([name, Buffer.from(value).toString('base64')]);
  }
  return kept;
}

/** Nobody reads more. */
function plain(text: string): string {
  return storableText(text, TEXT);
}

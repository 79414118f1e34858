import type { SourceMapping } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import type { RawEvent } from '../ingest/accept.ts';
import { readOne } from '../ingest/read-request.ts';
import { boundedPart, longestPart } from './bounded-part.ts';
import type { IncomingMessage } from './intake.ts';
import { mapMessage } from './map-message.ts';
import type { MessageProblem } from './message-problem.ts';
import { readCloudMessage } from './read-cloud-message.ts';

export type ReadMessage =
  | { readonly ok: true; readonly raw: RawEvent }
  | { readonly ok: false; readonly problem: MessageProblem };

/**
 * Reads a message as the event that the mapping says it is. Whether it is a good one is for `acceptEach` to say.
 * @param maxEventBytes that an event may have as it would be delivered
 */
export function readMessage(message: IncomingMessage, mapping: SourceMapping, maxEventBytes: number): ReadMessage {
  const { wholeBytes = 0, body, unreadable: why } = message;
  if (wholeBytes > body.length) return { ok: false, problem: tooLarge(wholeBytes) };
  if (why !== undefined) return { ok: false, problem: unreadable(why) };
  try {
    return { ok: true, raw: rawOf(message, mapping, maxEventBytes) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, problem: { reason: error.code, detail: error.message, faults: error.faults } };
  }
}

/** @throws Refusal */
function rawOf(message: IncomingMessage, mapping: SourceMapping, maxEventBytes: number): RawEvent {
  switch (mapping.format) {
    case 'envelope':
      return readOne(boundedPart(message.body, longestPart(maxEventBytes), 'body'), maxEventBytes);
    case 'cloudevents':
      return readCloudMessage(message, mapping.tenant_extension, maxEventBytes);
    case 'mapped':
      return mapMessage(message, mapping, maxEventBytes);
  }
}

function unreadable(why: string): MessageProblem {
  const detail = `The headers of the message cannot be read: ${why}`;
  return { reason: 'unmapped', detail, faults: [{ path: '', message: detail }] };
}

function tooLarge(bytes: number): MessageProblem {
  const detail = `The message has ${bytes} bytes in its body, more than any event may have.`;
  return { reason: 'too_large', detail, faults: [{ path: '', message: detail }] };
}

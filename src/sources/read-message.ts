import type { SourceMapping } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import type { RawEvent } from '../ingest/accept.ts';
import { decodeText, parseJson } from '../ingest/json-text.ts';
import type { IncomingMessage } from './intake.ts';
import { mapMessage } from './map-message.ts';
import type { MessageProblem } from './message-problem.ts';
import { readCloudMessage } from './read-cloud-message.ts';

export type ReadMessage =
  | { readonly ok: true; readonly raw: RawEvent }
  | { readonly ok: false; readonly problem: MessageProblem };

/**
 * Reads a message as the event that the mapping says it is. Whether it is a good one is for `acceptEach` to say.
 * @param hasTenant whose event it is follows from the source
 */
export function readMessage(message: IncomingMessage, mapping: SourceMapping, hasTenant: boolean): ReadMessage {
  if ((message.wholeBytes ?? 0) > message.body.length) return { ok: false, problem: tooLarge(message.wholeBytes!) };
  if (message.unreadable !== undefined) return { ok: false, problem: unreadable(message.unreadable) };
  try {
    return { ok: true, raw: rawOf(message, mapping, hasTenant) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, problem: { reason: error.code, detail: error.message, faults: error.faults } };
  }
}

/** @throws Refusal */
function rawOf(message: IncomingMessage, mapping: SourceMapping, hasTenant: boolean): RawEvent {
  switch (mapping.format) {
    case 'envelope': {
      const text = decodeText(message.body);
      return { value: parseJson(text), text };
    }
    case 'cloudevents':
      return readCloudMessage(message, hasTenant ? null : mapping.tenant_extension);
    case 'mapped':
      return mapMessage(message, mapping);
  }
}

function unreadable(why: string): MessageProblem {
  const detail = `The headers of the message cannot be read: ${why}`;
  return { reason: 'unmapped', detail, faults: [{ path: '', message: detail }] };
}

function tooLarge(bytes: number): MessageProblem {
  const detail = `The message has ${bytes} bytes, more than any event may have.`;
  return { reason: 'too_large', detail, faults: [{ path: '', message: detail }] };
}

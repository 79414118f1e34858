import type { SourceMapping } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import type { RawEvent } from '../ingest/accept.ts';
import { readJson } from '../ingest/read-request.ts';
import type { IncomingMessage } from './intake.ts';
import { mapMessage } from './map-message.ts';
import type { MessageProblem } from './message-problem.ts';

export type ReadMessage =
  | { readonly ok: true; readonly raw: RawEvent }
  | { readonly ok: false; readonly problem: MessageProblem };

/** Reads a message as the event that the mapping says it is. Whether it is a good one is for `acceptEach` to say. */
export function readMessage(message: IncomingMessage, mapping: SourceMapping): ReadMessage {
  try {
    return mapping.format === 'envelope' ? { ok: true, raw: readJson(message.body) } : mapMessage(message, mapping);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, problem: { reason: error.code, detail: error.message, faults: error.faults } };
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SourceMapping } from '../config/source-schema.ts';
import type { IncomingMessage } from './intake.ts';
import { type ReadMessage, readMessage } from './read-message.ts';

/** How many bytes are read before others have a turn of the event loop: a few milliseconds, tens for the worst. */
const TURN_BYTES = 256 * 1024;

/** `readMessage` of each message of a batch, which may be megabytes: others have a turn in between. */
export async function readMessages(
  messages: readonly IncomingMessage[],
  mapping: SourceMapping,
  maxEventBytes: number,
): Promise<readonly ReadMessage[]> {
  const read: ReadMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (bytes >= TURN_BYTES) {
      await nextTurn();
      bytes = 0;
    }
    bytes += bytesOf(message);
    read.push(readMessage(message, mapping, maxEventBytes));
  }
  return read;
}

function bytesOf({ body, key, headers }: IncomingMessage): number {
  let bytes = body.length + (key?.length ?? 0);
  for (const value of headers.values()) bytes += value.length;
  return bytes;
}

import { fromNative } from '../cloudevents/from-native.ts';
import { type HttpMessage, writeBinary, writeStructured } from '../cloudevents/write-cloud-event.ts';
import type { EventFormat } from '../domain/endpoint.ts';

/** Makes of a body, cast already, what an endpoint gets. */
export type Envelope = (body: Uint8Array) => HttpMessage;

/** Bytes of what was written that are remembered, beside the bodies that are. */
const MAX_BYTES = 8 * 1024 * 1024;

/** How events go to endpoints of this format; null: as they are. */
export function envelopeFor(format: EventFormat): Envelope | null {
  switch (format) {
    case 'native':
      return null;
    case 'cloudevents':
      return structured;
    case 'cloudevents_binary':
      return binary;
  }
}

const structured = onceEach((body) => writeStructured(fromNative(body)));
const binary = onceEach((body) => writeBinary(fromNative(body)));

/** Writes an event once for all its endpoints and attempts, while its body is in memory. */
function onceEach(write: Envelope): Envelope {
  let written = new WeakMap<Uint8Array, HttpMessage>();
  let bytes = 0;
  return (body) => {
    const known = written.get(body);
    if (known !== undefined) return known;
    const message = write(body);
    bytes += message.body.length;
    if (bytes > MAX_BYTES) {
      written = new WeakMap();
      bytes = message.body.length;
    }
    written.set(body, message);
    return message;
  };
}

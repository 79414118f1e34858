import type { EventBody } from './mailbox.ts';

/**
 * Bodies of recent events, bounded in bytes, oldest out first. A process that takes events in and delivers them need not read
 * them back; an event for many endpoints is read once.
 */
export class BodyCache {
  readonly #maxBytes: number;
  readonly #bodies = new Map<string, EventBody>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(uuid: string): EventBody | undefined {
    return this.#bodies.get(uuid);
  }

  put(uuid: string, body: EventBody): void {
    this.forget(uuid);
    this.#bodies.set(uuid, body);
    this.#bytes += weight(body);
    for (const [oldest, { body: bytes }] of this.#bodies) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#bodies.delete(oldest);
      this.#bytes -= bytes.length + OVERHEAD;
    }
  }

  forget(uuid: string): void {
    const known = this.#bodies.get(uuid);
    if (known === undefined) return;
    this.#bodies.delete(uuid);
    this.#bytes -= weight(known);
  }
}

/** What an entry costs beside its bytes, roughly. */
const OVERHEAD = 300;

function weight({ body }: EventBody): number {
  return body.length + OVERHEAD;
}

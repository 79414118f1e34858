import type { EventBody } from './mailbox.ts';

/**
 * Bodies of recent events, bounded in bytes, oldest out first. A process that takes events in and delivers them need not read
 * them back; an event for many endpoints is read once.
 *
 * Two generations: when the young one has half of the bytes, the old one goes whole. (One Map that loses its first entry at each `put`
 * would step over the holes of those that went before.)
 */
export class BodyCache {
  readonly #maxBytes: number;
  #young = new Map<string, EventBody>();
  #old = new Map<string, EventBody>();
  #youngBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(uuid: string): EventBody | undefined {
    return this.#young.get(uuid) ?? this.#old.get(uuid);
  }

  put(uuid: string, body: EventBody): void {
    const bytes = weight(body);
    if (bytes > this.#maxBytes / 2) {
      this.forget(uuid);
      return;
    }
    // One that is in the old generation stays there unseen, and goes with it: nearly always there is none, and no need to look.
    this.#dropYoung(uuid);
    if (this.#youngBytes + bytes > this.#maxBytes / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(uuid, body);
    this.#youngBytes += bytes;
  }

  forget(uuid: string): void {
    this.#dropYoung(uuid);
    this.#old.delete(uuid);
  }

  #dropYoung(uuid: string): void {
    const known = this.#young.get(uuid);
    if (known === undefined) return;
    this.#young.delete(uuid);
    this.#youngBytes -= weight(known);
  }
}

/** What an entry costs beside its bytes, roughly. */
const OVERHEAD = 300;

function weight({ body }: EventBody): number {
  return body.length + OVERHEAD;
}

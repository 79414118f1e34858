import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../domain/errors.ts';

/**
 * Opaque positions in lists. A cursor is authenticated together with what it belongs to (route, tenant, filters), so that one that was
 * altered, or comes from another list or tenant, is refused.
 */
export class Cursors {
  readonly #key: Buffer;

  /** @param secret the installation's current master key, in base64 */
  constructor(secret: string) {
    this.#key = createHmac('sha256', Buffer.from(secret, 'base64')).update('posthorn list cursors').digest();
  }

  /** @param belongsTo route, tenant and filters in a fixed order */
  encode(position: string, belongsTo: readonly unknown[]): string {
    return Buffer.concat([this.#tag(position, belongsTo), Buffer.from(position)]).toString('base64url');
  }

  /** @throws Refusal 422 at path `cursor` */
  decode(cursor: string, belongsTo: readonly unknown[]): string {
    const bytes = /^[A-Za-z0-9_-]{1,512}$/.test(cursor) ? Buffer.from(cursor, 'base64url') : Buffer.alloc(0);
    const position = bytes.subarray(TAG_BYTES).toString();
    const isOurs =
      bytes.length > TAG_BYTES && timingSafeEqual(bytes.subarray(0, TAG_BYTES), this.#tag(position, belongsTo));
    // Encoded again, because decoding leaves out bits at the end that make up no byte: several texts would pass for one cursor.
    if (isOurs && bytes.toString('base64url') === cursor) return position;
    throw new Refusal(422, 'invalid_cursor', 'The cursor does not belong to this list. Start again without one.', {
      faults: [{ path: 'cursor', message: 'expected the `next` of the previous page of this same list' }],
    });
  }

  #tag(position: string, belongsTo: readonly unknown[]): Buffer {
    const text = JSON.stringify([position, ...belongsTo.map((part) => part ?? null)]);
    return createHmac('sha256', this.#key).update(text).digest().subarray(0, TAG_BYTES);
  }
}

const TAG_BYTES = 12;

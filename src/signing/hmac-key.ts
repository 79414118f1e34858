import { createHmac, hash, type KeyObject } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** Contents up to this size are put together in one place; larger ones are hashed where they are, in parts. */
const COPIED_BYTES = 32 * 1024;

/** Where what is hashed is put together: nothing here waits, so that one place serves all keys. */
const scratch = Buffer.allocUnsafe(BLOCK_BYTES + COPIED_BYTES);

/**
 * A key of HMAC-SHA256 (RFC 2104) made ready to sign with, as two hashes over its padded forms: half as dear as `createHmac`, which makes
 * an object of OpenSSL's for each signature. It prints as an empty object.
 */
export class HmacKey {
  readonly #key: KeyObject;
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  /** @param key a secret key of at most 64 bytes: a longer one would be hashed first */
  constructor(key: KeyObject) {
    const bytes = key.export();
    if (bytes.length > BLOCK_BYTES) throw new RangeError(`An HMAC key holds at most ${BLOCK_BYTES} bytes.`);
    this.#key = key;
    this.#inner = Buffer.alloc(BLOCK_BYTES, 0x36);
    this.#outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0x5c);
    for (const [i, byte] of bytes.entries()) {
      this.#inner[i]! ^= byte;
      this.#outer[i]! ^= byte;
    }
  }

  /** The signature of both in base64. `prefix` is ASCII. */
  sign(prefix: string, body: Uint8Array): string {
    if (prefix.length + body.length > COPIED_BYTES)
      return createHmac('sha256', this.#key).update(prefix).update(body).digest('base64');
    scratch.set(this.#inner);
    const at = BLOCK_BYTES + scratch.write(prefix, BLOCK_BYTES, 'latin1');
    scratch.set(body, at);
    const digest = hash('sha256', scratch.subarray(0, at + body.length), 'binary');
    this.#outer.write(digest, BLOCK_BYTES, 'latin1');
    return hash('sha256', this.#outer, 'base64');
  }
}

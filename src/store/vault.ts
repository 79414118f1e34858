import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** `1 | key id (4 bytes) | nonce (12) | ciphertext | tag (16)`. */
const FORMAT = 1;
const HEADER = 17;
const TAG = 16;

/** A sealed value that no key at hand opens: the wrong MASTER_KEY, or a row that was moved or altered. */
export class UnsealError extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'UnsealError';
  }
}

/**
 * Encrypts secrets at rest with AES-256-GCM. Each value is bound to its row: `place` goes in as additional data, so that a value
 * copied to another row does not open there.
 */
export class Vault {
  readonly #keys: readonly { readonly id: Buffer; readonly key: Buffer }[];

  /** @param masterKeys 32 bytes each in base64; the first encrypts, all decrypt. */
  constructor(masterKeys: readonly string[]) {
    this.#keys = masterKeys.map((text) => {
      const key = Buffer.from(text, 'base64');
      return { key, id: createHash('sha256').update('posthorn master key id').update(key).digest().subarray(0, 4) };
    });
    if (this.#keys.length === 0) throw new Error('A vault needs a key.');
  }

  seal(text: string, place: string): Buffer<ArrayBuffer> {
    const { id, key } = this.#keys[0]!;
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from([FORMAT]), id, nonce, sealed, cipher.getAuthTag()]);
  }

  /** @throws UnsealError without a word about the content. */
  open(sealed: Uint8Array, place: string): string {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (bytes[0] !== FORMAT || bytes.length < HEADER + TAG)
      throw new UnsealError(`${place}: not a sealed value of a known format`);
    const found = this.#keys.find(({ id }) => id.equals(bytes.subarray(1, 5)));
    if (found === undefined) throw new UnsealError(`${place}: sealed with a key that is not in MASTER_KEY`);
    const decipher = createDecipheriv('aes-256-gcm', found.key, bytes.subarray(5, HEADER)).setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
    try {
      return decipher.update(bytes.subarray(HEADER, bytes.length - TAG), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw new UnsealError(`${place}: sealed for another row, or altered`);
    }
  }

  /** Whether a value was sealed with the key that now encrypts. */
  isCurrent(sealed: Uint8Array): boolean {
    return Buffer.from(sealed.subarray(1, 5)).equals(this.#keys[0]!.id);
  }
}

/** @returns null where what is opened does not open with the keys at hand */
export function unlessUnreadable<Opened>(open: () => Opened): Opened | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof UnsealError) return null;
    throw error;
  }
}

/** Places, as `Vault` binds values to them. */
export const sealedPlace = {
  masterKeyCheck: () => 'master-key-check',
  endpointHeaders: (endpointId: string) => `endpoint-headers:${endpointId}`,
  endpointDestination: (endpointId: string) => `endpoint-destination:${endpointId}`,
  sourceSecrets: (sourceId: string) => `source-secrets:${sourceId}`,
  endpointSecret: (endpointId: string, secretId: string) => `endpoint-secret:${endpointId}:${secretId}`,
};

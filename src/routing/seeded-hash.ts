/** Told of each hash, in order of the lengths. */
export interface HashSink {
  hashed(hash: number, length: number): void;
}

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, SipHash) over 16-bit units, one to a block, and a tag as the last block. Whoever does not know
 * the key cannot make texts whose hashes collide. So a lookup by the text of a stranger takes no longer than one by a random text.
 */
export class SeededHash {
  readonly #k0: number;
  readonly #k1: number;

  constructor(k0: number, k1: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /**
   * Walks over units, and tells the hash of what it has walked over each time that it comes to one of the lengths.
   * @param step 1 to go up, -1 to go down
   * @param lengths rising; the first `count` of them are wanted
   * @returns the last of the hashes
   */
  walk(
    units: Uint16Array,
    from: number,
    step: 1 | -1,
    lengths: readonly number[],
    count: number,
    tag: number,
    sink: HashSink | null,
  ): number {
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    let at = from;
    let done = 0;
    let hash = 0;
    for (let i = 0; i < count; i++) {
      const length = lengths[i]!;
      for (; done < length; done++, at += step) {
        const unit = units[at]!;
        v3 ^= unit;
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
        v0 ^= unit;
      }
      hash = finished(v0, v1, v2, v3, tag);
      sink?.hashed(hash, length);
    }
    return hash;
  }
}

function finished(a: number, b: number, c: number, d: number, tag: number): number {
  let v0 = a;
  let v1 = b;
  let v2 = c;
  let v3 = d ^ tag;
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round > 0) continue;
    v0 ^= tag;
    v2 ^= 0xff;
  }
  return v1 ^ v3;
}

import { randomFillSync } from 'node:crypto';

const SIZE = 16;
/** Randomness for so many ids at once: a system call for each would cost more than the rest of it. */
const pool = Buffer.alloc(SIZE * 256);
let at = pool.length;

/** Every request has an id: in its answers, its problems and its log lines. 128 random bits. */
export function newRequestId(): string {
  if (at >= pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  at += SIZE;
  return `req_${pool.toString('hex', at - SIZE, at)}`;
}

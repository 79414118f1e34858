/** Ids have at most 256 letters, of which none needs escaping. */
const HEAD_BYTES = 320;
const SYSTEM_HEAD = /^\{"id":"[^"]*","type":"system[."]/;

/**
 * Whether an event tells of Posthorn itself. Every body is stored with its id and type in front: no need to parse the whole.
 * @param body the event as stored
 */
export function isSystemEvent(body: Uint8Array): boolean {
  const head = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, HEAD_BYTES));
  return SYSTEM_HEAD.test(head.toString('latin1'));
}

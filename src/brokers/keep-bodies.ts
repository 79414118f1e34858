import type { Channel } from 'rabbitmq-client';
import { mayBeRounded } from './exact-headers.ts';

/** What rabbitmq-client 5.0.8 has on a channel and does not show. */
interface Inside {
  _onHeader(frame: HeaderFrame): void;
  _onBody(frame?: BodyFrame): void;
}

interface HeaderFrame {
  readonly bodySize: number;
  readonly fields: {
    readonly contentType?: string;
    readonly rawContentType?: string;
    readonly wholeBytes?: number;
    readonly headers?: object;
    readonly headerFrame?: Buffer;
  };
}

interface BodyFrame {
  payload: Buffer;
}

/** By messages of a channel that keeps bodies. */
export interface RawMessage {
  /** The property content-type. */
  readonly rawContentType?: string;
  /** Bytes that the body had; more than it has here when it was cut off. */
  readonly wholeBytes: number;
  readonly body: Buffer;
  /** What its headers are read from, where those that the client gives may be rounded. */
  readonly headerFrame?: Buffer;
}

/**
 * Makes a channel give every body as the bytes that came: the client parses JSON and decodes text by the message's content type, which
 * changes numbers, drops repeated names and replaces what is no UTF-8. Of a body only the first `keepBytes` are held in memory. Headers that
 * the client may have rounded come with the frame that they were read from.
 * @param lastRead what the client has read of the connection last: while it takes a frame, what that holds, and its end
 * @throws Error when the client is not the version that this was written for
 */
export function keepBodies(channel: Channel, keepBytes: number, lastRead: () => Buffer | null): void {
  const inside = channel as unknown as Inside;
  const { _onHeader: onHeader, _onBody: onBody } = inside;
  if (typeof onHeader !== 'function' || typeof onBody !== 'function') throw otherVersion();
  let left = 0;
  inside._onHeader = (frame) => {
    left = keepBytes;
    const { contentType: rawContentType, ...rest } = frame.fields;
    const fields = {
      ...rest,
      wholeBytes: frame.bodySize,
      ...(rawContentType === undefined ? {} : { rawContentType }),
      ...(rest.headers !== undefined && mayBeRounded(rest.headers) && { headerFrame: frameIn(lastRead(), frame) }),
    };
    onHeader.call(channel, { ...frame, fields });
  };
  inside._onBody = (frame) => {
    if (frame === undefined) return onBody.call(channel);
    // A copy where something is cut off: a view would keep the whole alive.
    const payload =
      frame.payload.length <= left ? frame.payload : Buffer.from(frame.payload.subarray(0, Math.max(0, left)));
    left -= payload.length;
    onBody.call(channel, { ...frame, payload });
  };
}

/** Of the content of the class basic. */
const CLASS = 60;
const BODY_SIZE_AT = 4;

/** A copy: what was read may be a part of something larger. @throws Error when it is not that frame */
function frameIn(read: Buffer | null, { bodySize }: HeaderFrame): Buffer {
  const isThat = read?.readUInt16BE(0) === CLASS && Number(read.readBigUInt64BE(BODY_SIZE_AT)) === bodySize;
  if (!isThat) throw otherVersion();
  return Buffer.from(read);
}

function otherVersion(): Error {
  return new Error('rabbitmq-client is not the version that src/brokers/keep-bodies.ts was written for.');
}

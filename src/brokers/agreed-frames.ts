import type { Connection } from 'rabbitmq-client';

/** What a frame has beside its payload (AMQP 0-9-1, 4.2.3), which the size that was agreed on includes. */
const FRAME_OVERHEAD = 8;
/** What a frame may have in any case, so that there is something to agree on (4.9). */
const LEAST_FRAME_BYTES = 4_096;

/** What rabbitmq-client 5.0.8 has on a connection and does not show. */
interface Inside {
  readonly _opt?: { frameMax: number };
  readonly _state?: { readonly frameMax: number };
}

/**
 * Makes the channels of a connection that is open keep to the size of frames that was agreed on with the broker. The client takes the one that it
 * asked for: where the broker wants smaller ones, a message that is larger would end the connection.
 * @throws Error when the client is not the version that this was written for
 */
export function keepToAgreedFrames(connection: Connection): void {
  const { _opt: options, _state: state } = connection as unknown as Inside;
  if (options?.frameMax === undefined || state?.frameMax === undefined)
    throw new Error('rabbitmq-client is not the version that src/brokers/agreed-frames.ts was written for.');
  options.frameMax = Math.max(state.frameMax, LEAST_FRAME_BYTES) - FRAME_OVERHEAD;
}

import { connect, type Socket } from 'node:net';

export interface TurnsOptions {
  /** At least one. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Milliseconds that all of them have together: the last is waited for until `destroy`. */
  readonly withinMs: number;
}

/** A connection in the making. */
export interface Turns {
  /** Ends it, without a call back. */
  destroy(): void;
}

/** The least that each address has, in ms: a receiver on another continent takes a third of a second. */
export const MIN_SHARE_MS = 500;

/**
 * Connects to the first of some addresses that takes the connection: the next is tried when one refuses, or has used up its share of the time. Calls
 * back at most once, never before it returns. Where none does, the error is that of the first: of the others this host may not even have had the family.
 */
export function connectInTurn(
  { addresses, port, withinMs }: TurnsOptions,
  callback: (error: Error | null, socket: Socket | null) => void,
): Turns {
  const endsAt = performance.now() + withinMs;
  let socket: Socket;
  let share: NodeJS.Timeout | undefined;
  let first: Error | null = null;

  function open(at: number): void {
    const opening = connect({ host: addresses[at]!, port, noDelay: true, keepAlive: true });
    socket = opening;
    const giveWay = (error: Error) => {
      clearTimeout(share);
      opening.destroy();
      if (socket !== opening) return;
      first ??= error;
      if (at + 1 < addresses.length) open(at + 1);
      else callback(first, null);
    };
    opening.on('error', giveWay);
    opening.once('connect', () => {
      clearTimeout(share);
      opening.off('error', giveWay);
      callback(null, opening);
    });
    const left = addresses.length - at;
    if (left === 1) return;
    const shareMs = Math.max(MIN_SHARE_MS, (endsAt - performance.now()) / left);
    share = setTimeout(() => giveWay(new Error('no connection to an address within its share of the time')), shareMs);
  }

  open(0);
  return {
    destroy() {
      clearTimeout(share);
      socket.destroy();
    },
  };
}

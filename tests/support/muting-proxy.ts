import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface MutingProxy {
  readonly port: number;
  /** Of the connections that are open, nothing comes or goes any more, and none is closed, as if the host behind them were lost. New ones pass. */
  mute(): void;
  close(): Promise<void>;
}

/** A way to a server on this machine. */
export async function startMutingProxy(target: number): Promise<MutingProxy> {
  const sockets = new Set<Socket>();
  let mute = new AbortController();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    const { signal } = mute;
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {}).on('close', () => !signal.aborted && to.destroy());
      from.on('data', (chunk) => void (!signal.aborted && to.write(chunk)));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    mute: () => {
      mute.abort();
      mute = new AbortController();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

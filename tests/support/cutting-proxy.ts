import { randomInt } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What becomes of a request: it passes, or its connection is cut before it arrives, in the midst of it, or before its answer comes back. */
export type Fate = 'passes' | 'lost' | 'torn' | 'unanswered';

export interface CuttingProxy {
  readonly url: string;
  /** How many requests met each fate. */
  readonly counts: Readonly<Record<Fate, number>>;
  close(): Promise<void>;
}

const FATES: readonly Fate[] = ['passes', 'passes', 'lost', 'torn', 'unanswered'];

/** A way to a server on which requests, one after the other on a connection, meet fates in random order: of each five, every one has its turn. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const counts = { passes: 0, lost: 0, torn: 0, unanswered: 0 };
  const sockets = new Set<Socket>();
  let deck: Fate[] = [];
  const draw = (): Fate => {
    if (deck.length === 0) deck = [...FATES];
    const [fate] = deck.splice(randomInt(deck.length), 1);
    counts[fate!]++;
    return fate!;
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = () => [client, upstream].forEach((each) => void each.destroy());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', cut);
    }
    // Null between an answer and the next request.
    let fate: Fate | null = null;
    client.on('data', (chunk: Buffer) => {
      fate ??= draw();
      if (fate === 'lost') return cut();
      if (fate !== 'torn') return void upstream.write(chunk);
      upstream.write(chunk.subarray(0, chunk.length / 2), cut);
    });
    upstream.on('data', (chunk) => {
      if (fate === 'unanswered') return cut();
      fate = null;
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

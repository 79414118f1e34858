import { createServer, type Server, Socket } from 'node:net';

/**
 * What stands between two processes now. `latency` delays what goes either way by half of `rttMs`. `blackhole` takes connections and
 * bytes and passes nothing on; `half-open` passes requests on and swallows the answers. `refuse` takes no new connection.
 */
export type ProxyMode =
  | { readonly kind: 'pass' }
  | { readonly kind: 'latency'; readonly rttMs: number }
  | { readonly kind: 'blackhole' }
  | { readonly kind: 'half-open' }
  | { readonly kind: 'refuse' };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** A small TCP proxy on a port of 127.0.0.1 that stays the same, whose mode can change while connections are open. */
export class FaultProxy {
  readonly port: number;
  #server: Server;
  #targetPort: number;
  #mode: ProxyMode = { kind: 'pass' };
  readonly #pairs = new Set<Pair>();

  private constructor(server: Server, port: number, targetPort: number) {
    this.#server = server;
    this.port = port;
    this.#targetPort = targetPort;
    this.#serve(server);
  }

  static async start(targetPort: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    await listen(server, 0);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return new FaultProxy(server, address.port, targetPort);
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Holds for open connections too; what a blackhole or a half-open connection swallowed stays lost, as do its connections. */
  async setMode(mode: ProxyMode): Promise<void> {
    const wasLossy = isLossy(this.#mode);
    if (mode.kind === 'refuse' && this.#mode.kind !== 'refuse') this.#server.close();
    if (mode.kind !== 'refuse' && this.#mode.kind === 'refuse') {
      this.#server = createServer({ allowHalfOpen: true });
      this.#serve(this.#server);
      await listen(this.#server, this.port);
    }
    this.#mode = mode;
    // A stream with a hole in it must not go on as if nothing were missing.
    if (wasLossy && !isLossy(mode)) this.cut();
  }

  /** New connections lead to another port. */
  retarget(targetPort: number): void {
    this.#targetPort = targetPort;
  }

  /** Resets every open connection, at both ends. */
  cut(): void {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) reset(socket);
    this.#pairs.clear();
  }

  /** Ends every open connection at the near end without a word, as a pooler does that stops; at the far end it is reset. */
  hangUp(): void {
    for (const { near, far } of this.#pairs) {
      near.destroySoon();
      reset(far);
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    this.cut();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(server: Server): void {
    server.on('connection', (near) => {
      const far = new Socket({ allowHalfOpen: true });
      const pair = { near, far };
      this.#pairs.add(pair);
      far.connect(this.#targetPort, '127.0.0.1');
      this.#pipe(pair, near, far, 'request');
      this.#pipe(pair, far, near, 'answer');
    });
  }

  #pipe(pair: Pair, from: Socket, to: Socket, direction: 'request' | 'answer'): void {
    from.setNoDelay(true);
    const passOn = (act: () => void) => {
      const mode = this.#mode;
      if (mode.kind === 'blackhole' || (mode.kind === 'half-open' && direction === 'answer')) return;
      if (mode.kind === 'latency') setTimeout(act, mode.rttMs / 2);
      else act();
    };
    from.on('data', (chunk) => passOn(() => to.writable && to.write(chunk)));
    from.on('end', () => passOn(() => to.writable && to.end()));
    from.on('error', () => reset(to));
    from.on('close', () => {
      // Nothing more can be said on it, and nobody waits for what the other side might still say.
      passOn(() => to.destroySoon());
      if (from.destroyed && to.destroyed) this.#pairs.delete(pair);
    });
  }
}

function isLossy({ kind }: ProxyMode): boolean {
  return kind === 'blackhole' || kind === 'half-open';
}

function reset(socket: Socket): void {
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

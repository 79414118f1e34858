import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** An HTTP proxy that knows CONNECT alone, as operators put one before their network. */
export interface TestProxy {
  readonly port: number;
  readonly url: string;
  /** The authorities that tunnels were asked for, with the credentials. */
  readonly asked: { readonly authority: string; readonly credentials: string | undefined }[];
  /** Answers CONNECT with this instead of a tunnel; null for a tunnel. */
  answer: string | null;
  /** By which it says that there is a tunnel. */
  head: string;
  /** Said with that, before anything of the receiver's. */
  preface: string;
  /** Cuts every tunnel and refuses connections, until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startEgressProxy(): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  };
  server.on('connection', keep);
  server.on('connect', (request, socket: Socket) => {
    const authority = request.url!;
    proxy.asked.push({ authority, credentials: request.headers['proxy-authorization'] });
    if (proxy.answer !== null) {
      socket.end(proxy.answer);
      return;
    }
    const { hostname, port } = new URL(`http://${authority}`);
    const upstream = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), noDelay: true });
    keep(upstream);
    upstream.once('connect', () => {
      socket.write(proxy.head + proxy.preface);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.once('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const proxy: TestProxy = {
    port,
    url: `http://127.0.0.1:${port}`,
    asked: [],
    answer: null,
    head: 'HTTP/1.1 200 Connection established\r\n\r\n',
    preface: '',
    start: () => listen(port),
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * Passes connections to Postgres on without the startup parameter `options`, as PgBouncer does with `ignore_startup_parameters = options`.
 * @returns its URL, and what ends it
 */
export async function startPooler(databaseUrl: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const postgres = connect(Number(port || 5432), hostname);
    for (const socket of [client, postgres]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [client, postgres].forEach((each) => void each.destroy()));
    }
    let startup = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      startup = Buffer.concat([startup, chunk]);
      if (startup.length < 4 || startup.length < startup.readInt32BE(0)) return;
      client.off('data', read);
      postgres.write(withoutOptions(startup));
      client.pipe(postgres).pipe(client);
    };
    client.on('data', read);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ownPort = String((server.address() as AddressInfo).port);
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: ownPort }).href,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A StartupMessage (Postgres, 54.7): its length, the version of the protocol, then names and values, each ended by a zero, and one more. */
function withoutOptions(message: Buffer): Buffer {
  const words = message.subarray(8, -2).toString().split('\0');
  const kept = words.flatMap((name, i) => (i % 2 === 0 && name !== 'options' ? [name, words[i + 1]!] : []));
  const body = Buffer.from(`${kept.join('\0')}\0\0`);
  const head = Buffer.from(message.subarray(0, 8));
  head.writeInt32BE(8 + body.length, 0);
  return Buffer.concat([head, body]);
}

import { createServer } from 'node:net';

/** Given by this process, so that two that are asked for before either is listened on are not the same. */
const given = new Set<number>();

/**
 * A port of 127.0.0.1 that nobody listened on a moment ago. It is below those that the system gives to whoever connects: a server may take
 * seconds to listen there, and leaves it free for as long when it is restarted.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (!given.has(port) && (await isFree(port))) {
      given.add(port);
      return port;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  probe.on('error', () => resolve(false));
  probe.listen(port, '127.0.0.1', () => resolve(true));
  const answer = await promise;
  if (answer) await new Promise((closed) => probe.close(closed));
  return answer;
}

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PATIENCE_MS } from './patience.ts';

/** One request as the receiver saw it: the ledger that our own database is checked against. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly atMs: number;
  /** What it was answered with; null while it is held, and when the sender hung up before. */
  readonly answered: number | null;
}

/** Answers a request; `index` counts from 0. Not ending the response holds the request open. */
export type Behaviour = (request: ReceivedRequest, response: ServerResponse, index: number) => void;

export interface Receiver {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  behave(behaviour: Behaviour): void;
  /** Resolves when at least `count` requests have come, with all of them. */
  received(count: number): Promise<readonly ReceivedRequest[]>;
  close(): Promise<void>;
}

export const ok: Behaviour = (_request, response) => void response.writeHead(204).end();

/** Answers each request after so many ms. `most` is how many were under way at once. */
export function answersAfter(ms: number): { readonly behaviour: Behaviour; readonly most: () => number } {
  const inFlight = new Set<ServerResponse>();
  let most = 0;
  const behaviour: Behaviour = (_request, response) => {
    inFlight.add(response);
    most = Math.max(most, inFlight.size);
    setTimeout(() => {
      inFlight.delete(response);
      response.writeHead(204).end();
    }, ms);
  };
  return { behaviour, most: () => most };
}

/** A receiver on loopback that keeps a ledger of every request and behaves as told. */
export async function startReceiver(behaviour: Behaviour = ok): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  let behave = behaviour;
  let waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const received = {
        method,
        path,
        headers,
        body: Buffer.concat(chunks),
        atMs: Date.now(),
        answered: null as number | null,
      };
      response.on('finish', () => {
        received.answered = response.statusCode;
      });
      requests.push(received);
      behave(received, response, requests.length - 1);
      for (const waiter of waiting) if (requests.length >= waiter.count) waiter.resolve();
      waiting = waiting.filter((waiter) => requests.length < waiter.count);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    behave: (next) => {
      behave = next;
    },
    received: async (count) => {
      if (requests.length >= count) return requests;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => reject(new Error(`${requests.length} of ${count} requests came within ${PATIENCE_MS} ms`)),
        PATIENCE_MS,
      );
      waiting.push({ count, resolve });
      await promise.finally(() => clearTimeout(timer));
      return requests;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

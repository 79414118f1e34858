import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifySignature } from '../signing/verify-signature.ts';
import { parseVerifyingKey, type VerifyingKey } from '../signing/verifying-key.ts';

/** What the parent of this process may say to it. */
export type SinkCommand = { readonly secrets: Readonly<Record<string, string>> };

/** What it says back, a few times a second. */
export interface SinkReport {
  readonly port: number;
  readonly requests: number;
  /** Distinct (endpoint, event) pairs. */
  readonly delivered: number;
  readonly unverified: number;
}

const REPORT_MS = 50;

// A receiver in a process of its own, so that its work is not mistaken for Posthorn's. It verifies one request in a hundred.
let keys = new Map<string, readonly VerifyingKey[]>();
const seen = new Set<string>();
let requests = 0;
let unverified = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    requests++;
    const path = request.url ?? '';
    seen.add(`${path} ${String(request.headers['webhook-id'])}`);
    const known = keys.get(path);
    if (
      requests % 100 === 0 &&
      known !== undefined &&
      !verifySignature(known, request.headers, Buffer.concat(chunks)).ok
    )
      unverified++;
    response.writeHead(204).end();
  });
});

process.on('message', (command: SinkCommand) => {
  keys = new Map(Object.entries(command.secrets).map(([path, secret]) => [path, [parseVerifyingKey(secret)]]));
});
process.on('disconnect', () => process.exit(0));

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  setInterval(
    () => process.send?.({ port, requests, delivered: seen.size, unverified } satisfies SinkReport),
    REPORT_MS,
  );
});

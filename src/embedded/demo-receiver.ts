import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifySignature } from '../signing/verify-signature.ts';
import { parseVerifyingKey } from '../signing/verifying-key.ts';

export interface DemoDelivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether the signature verified, or why not. */
  readonly verdict: string;
}

/** A receiver as a customer would write one: it verifies each request with its endpoint's secret and tells what it got. */
export class DemoReceiver {
  readonly #server: Server;
  #secret: string | null = null;
  /** Called for every request. */
  onDelivery: (delivery: DemoDelivery) => void = () => {};

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const verdict = this.#verify(request.headers, body);
        response.writeHead(verdict === 'verified' ? 204 : 400).end();
        this.onDelivery({ headers: request.headers, body: body.toString(), verdict });
      });
    });
  }

  /** @param port the one to take again, or 0. @returns the port taken; another when that one is not free any more. */
  async listen(port: number): Promise<number> {
    const attempt = (wanted: number) =>
      new Promise<number>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(wanted, '127.0.0.1', () => {
          this.#server.removeListener('error', reject);
          resolve((this.#server.address() as AddressInfo).port);
        });
      });
    return attempt(port).catch(() => attempt(0));
  }

  trust(secret: string): void {
    this.#secret = secret;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #verify(headers: IncomingHttpHeaders, body: Buffer): string {
    if (this.#secret === null) return 'no secret yet';
    const result = verifySignature([parseVerifyingKey(this.#secret)], headers, body);
    return result.ok ? 'verified' : result.reason;
  }
}

import { Agent, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

/** The answer of nobody. */
export const NOBODY: HttpAnswer = { status: 0, retryAfter: null, text: '' };

/** JSON over kept-alive connections to processes of ours, which come and go. */
export class HttpClient {
  /** Requests without an answer on connections that had been answered on before: closed under the client. */
  brokenReuses = 0;
  readonly #agent: Agent;
  readonly #key: string;
  readonly #timeoutMs: number;

  constructor(key: string, sockets: number, timeoutMs = 10_000) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
    this.#key = key;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns null when no answer came: what became of the request is not known; `NOBODY` when nobody listened, so that none was made. */
  call(baseUrl: string, method: string, path: string, body?: unknown): Promise<HttpAnswer | null> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${this.#key}`,
      'content-length': Buffer.byteLength(text),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    return new Promise((resolve) => {
      const call = request(baseUrl + path, { method, agent: this.#agent, headers, timeout: this.#timeoutMs });
      call.on('error', ({ code }: NodeJS.ErrnoException) => {
        if (call.reusedSocket) this.brokenReuses++;
        resolve(code === 'ECONNREFUSED' ? NOBODY : null);
      });
      call.on('timeout', () => call.destroy());
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => resolve(null));
        response.on('close', () => resolve(null));
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            retryAfter: response.headers['retry-after'] ?? null,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      call.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

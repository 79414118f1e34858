import { Agent, request } from 'node:http';

/** @throws Error with the answer, unless it is a success. A call that was told to come again does: what is posted must have a key. */
export type Api = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

export interface ApiClient {
  readonly call: Api;
  close(): void;
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly text: string;
}

/** Where the answer does not say when. */
const AGAIN_MS = 200;

/** Calls an API on this machine over connections that are kept. A call that is answered 429 or 503 is made again when `Retry-After` says. */
export function apiClient(port: number, key: string, callsAtOnce: number): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: callsAtOnce });
  const call: Api = async (method, path, body) => {
    for (;;) {
      const { status, retryAfterMs, text } = await ask({ port, key, agent, method, path, body });
      if (status < 300) return text === '' ? {} : JSON.parse(text);
      if (status !== 429 && status !== 503) throw new Error(`${method} ${path} answered ${status}: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    }
  };
  return { call, close: () => agent.destroy() };
}

/**
 * How many events a batch left stored. One that is posted again, because the answer to the first post was 503, finds some of them there: they are
 * `duplicates` then, and none the less accepted.
 */
export function storedOf({ accepted, duplicates }: Record<string, unknown>): number {
  return Number(accepted) + Number(duplicates);
}

interface Question {
  readonly port: number;
  readonly key: string;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

function ask({ port, key, agent, method, path, body }: Question): Promise<Answer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const seconds = Number(response.headers['retry-after']);
        resolve({
          status: response.statusCode!,
          retryAfterMs: seconds > 0 ? seconds * 1000 : AGAIN_MS,
          text: Buffer.concat(chunks).toString(),
        });
      });
    });
    call.on('error', reject);
    call.end(text);
  });
}

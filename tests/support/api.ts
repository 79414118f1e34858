import supertest from 'supertest';
import { OPERATOR_KEY } from './test-settings.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever the API answers.
  readonly body: any;
}

/** Calls the API over a real socket, as an operator unless told otherwise. `body` is sent as it is when it is text, else as JSON. */
export async function call(
  baseUrl: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const verb = method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
  const request = supertest(baseUrl)
    [verb](path)
    .set({ authorization: `Bearer ${OPERATOR_KEY}`, ...type, ...headers });
  // Text as it came: superagent would parse some types, and leave others.
  request.buffer(true).parse((response, done) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer | string) => chunks.push(Buffer.from(chunk)));
    response.on('end', () => done(null, Buffer.concat(chunks).toString()));
  });
  const response = await (body === undefined
    ? request
    : request.send(typeof body === 'string' ? body : JSON.stringify(body)));
  const text = response.body as string;
  return {
    status: response.status,
    headers: new Headers(response.headers),
    body: text === '' ? undefined : JSON.parse(text),
  };
}

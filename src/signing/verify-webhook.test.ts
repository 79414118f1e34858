import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import express from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { generateSecret } from './generate-secret.ts';
import { publicKeyOf } from './public-key-of.ts';
import { InvalidSecretError } from './secret.ts';
import { signWebhook } from './sign-webhook.ts';
import { parseSigningKey } from './signing-key.ts';
import { receivedWebhook, type VerifyWebhookOptions, verifyWebhook, type WebhookRequest } from './verify-webhook.ts';

const secret = generateSecret('v1');
const BODY = Buffer.from('{"id":"evt_1", "data":{"é":1}}');

function signedHeaders(body: Uint8Array = BODY, signer: string = secret, ageSeconds = 0) {
  const timestamp = Math.floor(Date.now() / 1000) - ageSeconds;
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signWebhook([parseSigningKey(signer)], 'evt_1', timestamp, body),
  };
}

type Before = (req: WebhookRequest & { body?: unknown }, res: ServerResponse) => void | Promise<void>;

/** A receiver that answers 200 with the body that was let through. `before` stands for what is mounted in front. */
async function startReceiver(options: Partial<VerifyWebhookOptions> = {}, before: Before = () => {}) {
  const middleware = verifyWebhook({ secrets: [secret], ...options });
  const handled = vi.fn<(req: WebhookRequest) => void>();
  const server = createServer(async (req: WebhookRequest, res) => {
    await before(req, res);
    middleware(req, res, () => {
      handled(req);
      res.end(receivedWebhook(req).body);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, handled };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function post(port: number, headers: OutgoingHttpHeaders, ...chunks: readonly Uint8Array[]): Promise<Answer> {
  const req = request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false });
  for (const chunk of chunks) req.write(chunk);
  req.end();
  const [res] = await once(req, 'response');
  return { status: res.statusCode, headers: res.headers, body: await buffer(res) };
}

function codeOf(answer: Answer): string {
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const problem = JSON.parse(answer.body.toString());
  expect(problem.status).toBe(answer.status);
  return problem.code;
}

test('a genuine webhook reaches the handler with its id, its timestamp and the bytes as they came', async () => {
  const { port, handled } = await startReceiver();
  const headers = signedHeaders();
  const answer = await post(port, headers, BODY.subarray(0, 7), BODY.subarray(7));
  expect(answer).toMatchObject({ status: 200, body: BODY });
  expect(handled).toHaveBeenCalledOnce();
  const { webhook } = handled.mock.calls[0]![0];
  expect(webhook).toEqual({ id: 'evt_1', timestamp: Number(headers['webhook-timestamp']), body: BODY });
});

test('any of the secrets will do, also a v1a public key', async () => {
  const [older, asymmetric] = [generateSecret('v1'), generateSecret('v1a')];
  const { port } = await startReceiver({ secrets: [secret, older, publicKeyOf(asymmetric)!] });
  for (const signer of [secret, older, asymmetric]) {
    expect((await post(port, signedHeaders(BODY, signer), BODY)).status).toBe(200);
  }
});

test('an empty body that was signed is let through', async () => {
  const { port } = await startReceiver();
  expect((await post(port, signedHeaders(Buffer.alloc(0)))).status).toBe(200);
});

test.each<[string, OutgoingHttpHeaders, number, string]>([
  ['no headers', {}, 400, 'missing_header'],
  ['an id that came twice', { ...signedHeaders(), 'webhook-id': ['evt_1', 'evt_1'] }, 400, 'bad_id'],
  ['a timestamp of 1e3', { ...signedHeaders(), 'webhook-timestamp': '1e3' }, 400, 'bad_timestamp'],
  ['an old timestamp', signedHeaders(BODY, secret, 3600), 401, 'too_old'],
  ['a timestamp to come', signedHeaders(BODY, secret, -3600), 401, 'too_new'],
  ['the secret of another', signedHeaders(BODY, generateSecret('v1')), 401, 'no_match'],
  ['the signature of another body', signedHeaders(Buffer.from('{}')), 401, 'no_match'],
])('%s: the handler is not reached and the answer says why', async (_title, headers, status, code) => {
  const { port, handled } = await startReceiver();
  const answer = await post(port, headers, BODY);
  expect(answer.status).toBe(status);
  expect(codeOf(answer)).toBe(code);
  expect(handled).not.toHaveBeenCalled();
});

test('the tolerance is the one asked for', async () => {
  const { port } = await startReceiver({ toleranceSeconds: 7200 });
  expect((await post(port, signedHeaders(BODY, secret, 3600), BODY)).status).toBe(200);
});

test('unless it is asked otherwise, five minutes are tolerated and a mebibyte is read', async () => {
  const { port } = await startReceiver();
  const of = async (headers: OutgoingHttpHeaders, body: Buffer) => (await post(port, headers, body)).status;
  expect(await of(signedHeaders(BODY, secret, 240), BODY)).toBe(200);
  expect(await of(signedHeaders(BODY, secret, 360), BODY)).toBe(401);
  const largest = Buffer.alloc(1024 * 1024, 'x');
  expect(await of(signedHeaders(largest), largest)).toBe(200);
  const larger = Buffer.alloc(largest.length + 1, 'x');
  expect(await of({ ...signedHeaders(larger), 'content-length': larger.length }, larger)).toBe(413);
});

test('a body of maxBytes is read, and one byte more is 413, announced or not', async () => {
  const body = Buffer.alloc(1000, 'x');
  const headers = signedHeaders(body);
  const roomy = await startReceiver({ maxBytes: 1000 });
  const tight = await startReceiver({ maxBytes: 999 });
  for (const announced of [{ 'content-length': 1000 }, {}]) {
    const chunks = [body.subarray(0, 500), body.subarray(500)];
    expect((await post(roomy.port, { ...headers, ...announced }, ...chunks)).status).toBe(200);
    const refused = await post(tight.port, { ...headers, ...announced }, ...chunks);
    expect(refused.status).toBe(413);
    expect(codeOf(refused)).toBe('too_large');
  }
  expect(tight.handled).not.toHaveBeenCalled();
});

test('a body that is announced as too large is refused before it is sent', async () => {
  const { port } = await startReceiver({ maxBytes: 1000 });
  const headers = { ...signedHeaders(), 'content-length': 1001 };
  const req = request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false });
  req.flushHeaders();
  const [res] = await once(req, 'response');
  expect(res.statusCode).toBe(413);
  req.destroy();
});

test('a sender of far more than maxBytes is answered before it has sent everything, and keeps its connection', async () => {
  const { port } = await startReceiver({ maxBytes: 1000 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const target = { port, host: '127.0.0.1', method: 'POST', agent };
  const first = request({ ...target, headers: signedHeaders() });
  first.write(Buffer.alloc(2000));
  const [refused] = await once(first, 'response');
  expect(refused.statusCode).toBe(413);
  first.end(Buffer.alloc(2_000_000));
  await text(refused);
  const second = request({ ...target, headers: signedHeaders() });
  second.end(BODY);
  const [accepted] = await once(second, 'response');
  expect([accepted.statusCode, second.reusedSocket]).toEqual([200, true]);
});

const readToTheEnd: Before = async (req) => {
  for await (const _chunk of req);
};

test.each<[string, Before]>([
  [
    'a JSON parser',
    async (req) => {
      req.body = JSON.parse(await text(req));
    },
  ],
  ['something that read and forgot', readToTheEnd],
  [
    'something that still reads',
    async (req) => {
      await once(req, 'data');
    },
  ],
  [
    'something that made the stream text',
    (req) => {
      req.setEncoding('utf8');
    },
  ],
])('after %s the answer is 500 with the remedy, never a false accept', async (_title, before) => {
  const { port, handled } = await startReceiver({}, before);
  const answer = await post(port, signedHeaders(), BODY);
  expect(answer.status).toBe(500);
  expect(codeOf(answer)).toBe('already_read');
  expect(answer.body.toString()).toContain('before any body parser');
  expect(handled).not.toHaveBeenCalled();
});

test('an empty body that was read before is 500 too, although its signature would match nothing lost', async () => {
  const { port } = await startReceiver({}, readToTheEnd);
  expect((await post(port, signedHeaders(Buffer.alloc(0)))).status).toBe(500);
});

test('the Buffer that a raw body parser left is verified like the stream, within the same limit', async () => {
  const rawParser: Before = async (req) => {
    req.body = await buffer(req);
  };
  const { port } = await startReceiver({ maxBytes: BODY.length }, rawParser);
  expect(await post(port, signedHeaders(), BODY)).toMatchObject({ status: 200, body: BODY });
  expect((await post(port, signedHeaders(), Buffer.from('{}'))).status).toBe(401);
  expect((await post(port, signedHeaders(), BODY, BODY)).status).toBe(413);
});

test('an empty body object that a parser left without reading does not stand in the way', async () => {
  const { port } = await startReceiver({}, (req) => {
    req.body = {};
  });
  expect((await post(port, signedHeaders(), BODY)).status).toBe(200);
});

test('a sender that leaves before it has ended its request reaches no handler and harms nobody after it', async () => {
  let noticed = () => {};
  const gone = new Promise<void>((resolve) => {
    noticed = resolve;
  });
  const { port, handled } = await startReceiver({}, (req) => {
    req.on('close', () => noticed());
  });
  const req = request({ port, host: '127.0.0.1', method: 'POST', headers: signedHeaders(), agent: false });
  req.on('error', () => {});
  req.write(BODY, () => req.destroy());
  await gone;
  expect(handled).not.toHaveBeenCalled();
  expect((await post(port, signedHeaders(), BODY)).status).toBe(200);
  expect(handled).toHaveBeenCalledOnce();
});

test('a refusal does not write over an answer that was given before', async () => {
  const { port } = await startReceiver({}, (_req, res) => {
    res.writeHead(408).end('too late');
  });
  expect(await post(port, {}, BODY)).toMatchObject({ status: 408, body: Buffer.from('too late') });
});

test('what a handler throws is an exception of its own, as without the middleware, and no promise that nobody has', async () => {
  const headers = JSON.stringify(signedHeaders());
  const source = `import { verifyWebhook } from ${JSON.stringify(new URL('verify-webhook.ts', import.meta.url).href)};
process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
const verify = verifyWebhook({ secrets: ['${secret}'] });
verify({ headers: ${headers}, body: Buffer.from(${JSON.stringify(BODY.toString())}) }, {}, () => { throw new Error('thrown'); });`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source]);
  expect(stdout).toBe('uncaughtException thrown\n');
});

test('what a handler of Express throws is for Express to answer', async () => {
  const app = express();
  app.post('/', verifyWebhook({ secrets: [secret] }), () => {
    throw new Error('thrown');
  });
  app.use(((error, _req, res, _next) => void res.status(418).end(error.message)) satisfies express.ErrorRequestHandler);
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const answer = await post((server.address() as AddressInfo).port, signedHeaders(), BODY);
  expect(answer).toMatchObject({ status: 418, body: Buffer.from('thrown') });
});

test('a route without the middleware gets an error, not an unverified request', () => {
  expect(() => receivedWebhook({} as WebhookRequest)).toThrow('without verifyWebhook');
});

test('a misconfiguration fails when the receiver starts, without showing the secret', () => {
  expect(() => verifyWebhook({ secrets: [] })).toThrow(RangeError);
  expect(() => verifyWebhook({ secrets: ['whsec_tooshort'] })).toThrow(InvalidSecretError);
  expect(() => verifyWebhook({ secrets: ['whsec_tooshort'] })).not.toThrow('tooshort');
  expect(() => verifyWebhook({ secrets: [undefined as unknown as string] })).toThrow(InvalidSecretError);
  for (const limit of [-1, Number.NaN]) {
    expect(() => verifyWebhook({ secrets: [secret], toleranceSeconds: limit })).toThrow(RangeError);
    expect(() => verifyWebhook({ secrets: [secret], maxBytes: limit })).toThrow(RangeError);
  }
});

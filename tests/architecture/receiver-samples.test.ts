import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { signWebhook } from '../../src/signing/sign-webhook.ts';
import { parseSigningKey } from '../../src/signing/signing-key.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const LISTENS = /\.listen\(9000(?:, '127\.0\.0\.1')?\)/;
/** Tells the test of each request that is over, once all that its end brings about has happened. */
const TELLS_OF_ENDS = `import { subscribe } from 'node:diagnostics_channel';
subscribe('http.server.request.start', ({ request }) => request.on('close', () => setImmediate(() => console.log('over'))));`;

/** The receivers that our documents tell people to begin with. */
const SAMPLES = [
  ['README.md', 'receiver.ts', './src/signing/verify-webhook.ts'],
  ['README.md', 'receiver.mjs', 'standardwebhooks'],
  ['clients/typescript/README.md', 'client.ts', 'posthorn-client/webhooks'],
] as const;

const SOURCES: Readonly<Record<string, string>> = {
  './src/signing/verify-webhook.ts': pathToFileURL(join(ROOT, 'src/signing/verify-webhook.ts')).href,
  standardwebhooks: import.meta.resolve('standardwebhooks'),
  'posthorn-client/webhooks': pathToFileURL(join(ROOT, 'clients/typescript/src/webhooks.ts')).href,
};

/** The one block of code on the page that listens and imports this, made to run here: on a port of its own, on loopback. */
function sampleOf(page: string, imported: string): string {
  const blocks = readFileSync(join(ROOT, page), 'utf8').matchAll(/^```(?:js|ts)\n(.*?)^```$/gms);
  const samples = Array.from(blocks, ([, code]) => code!).filter(
    (code) => code.includes(`from '${imported}'`) && LISTENS.test(code),
  );
  expect(samples).toHaveLength(1);
  return samples[0]!
    .replace(`'${imported}'`, `'${SOURCES[imported]}'`)
    .replace(LISTENS, `.listen(0, '127.0.0.1', function () { console.log('port', this.address().port); })`);
}

async function startSample(page: string, name: string, imported: string) {
  const place = mkdtempSync(join(tmpdir(), 'posthorn-sample-'));
  writeFileSync(join(place, 'package.json'), '{"type": "module"}');
  writeFileSync(join(place, 'tells-of-ends.mjs'), TELLS_OF_ENDS);
  writeFileSync(join(place, name), sampleOf(page, imported));
  const child = spawn(process.execPath, ['--import', './tells-of-ends.mjs', name], {
    cwd: place,
    env: { PATH: process.env.PATH, WEBHOOK_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (child.kill()) await once(child, 'exit');
    rmSync(place, { recursive: true });
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (begin: string): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`The receiver ended before it said ${begin}.`);
      if (value.startsWith(begin)) return value.slice(begin.length).trim();
    }
  };
  return { port: Number(await said('port')), said };
}

function signedHeaders(body: string) {
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = signWebhook([parseSigningKey(SECRET)], 'evt_1', timestamp, Buffer.from(body));
  return { 'webhook-id': 'evt_1', 'webhook-timestamp': `${timestamp}`, 'webhook-signature': signature };
}

const open = (port: number, headers: Record<string, string | number>) =>
  request({ host: '127.0.0.1', port, method: 'POST', headers, agent: false });

async function statusOf(port: number, body: string, headers = signedHeaders(body)): Promise<number> {
  const sent = open(port, headers).end(body);
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

const EVENT = '{"id":"evt_1","type":"payment.captured","data":{}}';

test.each(SAMPLES)('the receiver of %s (%s) takes what is genuine, and nothing else', async (...sample) => {
  const { port, said } = await startSample(...sample);
  expect(await statusOf(port, EVENT)).toBe(204);
  expect(await said('evt_1')).toContain('payment.captured');
  expect(await statusOf(port, `${EVENT} `, signedHeaders(EVENT))).toBe(401);
});

test.each(SAMPLES)('the receiver of %s (%s) outlives a request that breaks off', async (...sample) => {
  const { port, said } = await startSample(...sample);
  const broken = open(port, { ...signedHeaders(EVENT), 'content-length': 1_000 });
  broken.on('error', () => {});
  broken.write(EVENT, () => broken.destroy());
  await said('over');
  expect(await statusOf(port, EVENT)).toBe(204);
});

test.each(SAMPLES)('the receiver of %s (%s) refuses a body that is too large', async (...sample) => {
  const { port } = await startSample(...sample);
  const large = JSON.stringify('x'.repeat(2 * 1_024 * 1_024));
  const sent = open(port, { ...signedHeaders(large), 'content-length': large.length });
  // Ours answer by the length alone, and close: to write on then would fail. The other reads to the end.
  const [, , imported] = sample;
  if (imported === 'standardwebhooks') sent.end(large);
  else sent.flushHeaders();
  const [response] = await once(sent, 'response');
  expect(response.statusCode).toBe(413);
  sent.destroy();
  expect(await statusOf(port, EVENT)).toBe(204);
});

test.each(SAMPLES)('the receiver of %s (%s) outlives what is genuine and no JSON', async (...sample) => {
  const { port } = await startSample(...sample);
  // One that does not read what is in it takes it.
  expect([204, 400, 401]).toContain(await statusOf(port, 'no JSON'));
  expect(await statusOf(port, EVENT)).toBe(204);
});

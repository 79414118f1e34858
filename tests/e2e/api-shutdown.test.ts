import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { call } from '../support/api.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { resendUnknown, startLoader } from '../support/loader.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';
import { OPERATOR_KEY } from '../support/test-service.ts';

test('F44: SIGTERM of an api process under load loses no accepted event, and a producer that got no answer can send again', async () => {
  const stage = await stageForTest();
  const [api, other] = await Promise.all([stage.start('api'), stage.start('api,worker')]);
  const endpoints = [await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/`, retry_schedule: [0, 1, 1] })];
  const loader = startLoader({ baseUrl: () => api.baseUrl, concurrency: 20, paceMs: 5 });
  await loader.acknowledged(200);
  expect(await api.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const history = await loader.stop();
  await resendUnknown(history, { baseUrl: () => other.baseUrl });
  await checkInvariants({
    databaseUrl: stage.databaseUrl,
    history,
    ledger: stage.receiver.requests,
    endpoints,
    duplicatesAtMost: 0,
  });
});

/** A post that tells when it has left this process. */
function post(url: string, body: unknown): { sent: Promise<unknown>; status: Promise<number> } {
  const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
  const call = request(url, { method: 'POST', agent: false, headers });
  const status = new Promise<number>((resolve, reject) => {
    call.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    call.on('error', reject);
  });
  const sent = once(call, 'finish');
  call.end(JSON.stringify(body));
  return { sent, status };
}

test('F44: requests that are under way at SIGTERM are answered, and no new connection is taken', async () => {
  const stage = await stageForTest();
  const api = await stage.start('api');
  await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/` });
  await call(api.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  const blocker = new pg.Client({ connectionString: stage.databaseUrl });
  await blocker.connect();
  onTestFinished(() => blocker.end().catch(() => {}));
  await blocker.query('BEGIN');
  await blocker.query('LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE');
  const event = { type: 'a.b', tenant_id: TENANT, data: {} };
  const posts = Array.from({ length: 20 }, () => post(`${api.baseUrl}/v1/events`, event));
  const answers = Promise.all(posts.map((each) => each.status));
  await Promise.all(posts.map((each) => each.sent));
  await eventually(
    () => stage.query('SELECT 1 FROM pg_locks WHERE NOT granted'),
    (rows) => rows.length > 0,
  );
  const exited = api.kill('SIGTERM');
  await api.said(/"service\.stopping"/);
  await eventually(
    () =>
      call(api.baseUrl, 'GET', '/healthz').then(
        () => 'answered',
        () => 'refused',
      ),
    (outcome) => outcome === 'refused',
  );
  await blocker.query('COMMIT');
  expect(await answers).toEqual(Array(20).fill(202));
  expect(await exited).toEqual({ code: 0, signal: null });
  expect((await stage.query('SELECT count(*)::int AS count FROM events'))[0].count).toBe(21);
});

test('F44: a client that posts over connections that it keeps alive loses no request to a restart', async () => {
  const stage = await stageForTest();
  const PORT = String(await freePort());
  const api = await stage.start('api', { PORT });
  await createEndpoint(api.baseUrl, { url: `${stage.receiver.url}/` });
  const client = new KeepAliveClient(api.baseUrl, 12);
  onTestFinished(() => client.stop());
  await client.answered(300);
  const exited = api.kill('SIGTERM');
  await api.said(/"service\.stopping"/);
  const stopping = await fetch(`${api.baseUrl}/readyz`).then(
    (answer) => answer.json(),
    () => null,
  );
  // Where the listener was quicker, nobody can ask any more.
  if (stopping !== null) expect(stopping).toMatchObject({ problems: ['stopping'] });
  expect(await exited).toEqual({ code: 0, signal: null });
  await stage.start('api', { PORT });
  await client.answered(300);
  await client.stop();
  expect(client.errors).toEqual([]);
  expect((await stage.query('SELECT count(*)::int AS count FROM events'))[0].count).toBe(client.accepted);
});

/** Posts over a few connections, and comes again only where no request was made, or it was told to. */
class KeepAliveClient {
  accepted = 0;
  readonly errors: string[] = [];
  readonly #url: string;
  readonly #agent: Agent;
  readonly #slots: Promise<void>[];
  #isStopped = false;

  constructor(baseUrl: string, slots: number) {
    this.#url = `${baseUrl}/v1/events`;
    this.#agent = new Agent({ keepAlive: true, maxSockets: slots });
    this.#slots = Array.from({ length: slots }, () => this.#run());
  }

  async answered(more: number): Promise<void> {
    const wanted = this.accepted + more;
    await eventually(
      async () => this.accepted,
      (accepted) => accepted >= wanted,
    );
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#slots);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const outcome = await this.#post();
      if (outcome === 202) this.accepted++;
      else if (outcome !== 503 && outcome !== 'nobody') this.errors.push(String(outcome));
      // Long enough that some connections are idle at any time.
      await delay(20);
    }
  }

  #post(): Promise<number | string> {
    const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
    const { promise, resolve } = Promise.withResolvers<number | string>();
    const call = request(this.#url, { method: 'POST', agent: this.#agent, headers });
    // A new connection that is reset was not accepted yet when the listener closed; that none of them made a row is counted.
    call.on('error', (error) => resolve(call.reusedSocket ? error.message : 'nobody'));
    call.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.resume().on('end', () => resolve(status === 202 || status === 503 ? status : `status ${status}`));
    });
    call.end(JSON.stringify({ type: 'a.b', tenant_id: TENANT, data: {} }));
    return promise;
  }
}

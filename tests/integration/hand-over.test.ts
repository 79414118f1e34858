import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseEventId } from '../../src/domain/ids.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** Takes events in and delivers them: what it commits it hands over in memory. */
let whole: TestService;
/** Another process, which only has the API. */
let other: TestService;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  whole = await startTestService({ worker: true });
  other = await startTestService({ databaseUrl: whole.databaseUrl });
});

afterAll(async () => {
  await other.stop();
  await whole.stop();
  await receiver.close();
});

const post = (tenant: string, data: unknown) =>
  call(whole.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data });

async function createEndpoint(tenant: string, path: string): Promise<string> {
  await call(whole.baseUrl, 'POST', '/v1/tenants', { id: tenant });
  const url = `${receiver.url}${path}`;
  const { body, status } = await call(whole.baseUrl, 'POST', `/v1/tenants/${tenant}/endpoints`, { url });
  expect(status).toBe(201);
  return `/v1/tenants/${tenant}/endpoints/${body.id}`;
}

const at = (prefix: string) => receiver.requests.filter(({ path }) => path.startsWith(prefix));

function untilDelivered(tenant: string): Promise<number> {
  const waiting = async () => {
    const { rows } = await whole.context.apiPool.query(
      'SELECT count(*)::int AS n FROM mailbox m JOIN tenants t ON t.num = m.tenant_num WHERE t.id = $1',
      [tenant],
    );
    return rows[0].n as number;
  };
  return eventually(waiting, (n) => n === 0);
}

/** The first event is read: from then on its lane is awake here, and its endpoint known. */
async function untilAwake(tenant: string, prefix: string): Promise<void> {
  await post(tenant, 'first');
  await eventually(
    async () => at(prefix).length,
    (n) => n === 1,
  );
  await untilDelivered(tenant);
}

test('after a change of settings is answered by another process, later events go by the new settings, handed over or not', async () => {
  const endpoint = await createEndpoint('movers', '/movers/0/');
  await untilAwake('movers', '/movers/');
  for (let round = 1; round <= 40; round++) {
    const url = `${receiver.url}/movers/${round}/`;
    expect((await call(other.baseUrl, 'PATCH', endpoint, { url })).status).toBe(200);
    expect((await post('movers', round)).status).toBe(202);
    // Of the settings that were read for the first one the second one is handed over.
    expect((await post('movers', round)).status).toBe(202);
    await eventually(
      async () => at('/movers/').length,
      (n) => n === 1 + 2 * round,
    );
  }
  const told = at('/movers/')
    .slice(1)
    .map(({ path, body }) => [path, JSON.parse(body.toString()).data]);
  expect(told.filter(([path, data]) => path !== `/movers/${data}/`)).toEqual([]);
});

test('the body of an event whose deliveries are read from the table is remembered, and of one that was handed over it is not', async () => {
  await createEndpoint('bodies', '/bodies/');
  const isRemembered = async (data: string) => {
    const { body } = await post('bodies', data);
    return whole.context.bodies.get(parseEventId(body.id)!) !== undefined;
  };
  // Nobody knows the endpoint yet.
  expect(await isRemembered('first')).toBe(true);
  await untilDelivered('bodies');
  await eventually(
    () => isRemembered('later'),
    (remembered) => !remembered,
  );
});

test('of thousands of events that come in batches while rows are read too, each is delivered once', async () => {
  await createEndpoint('many', '/many/a/');
  await createEndpoint('many', '/many/b/');
  await untilAwake('many', '/many/a/');
  const events = (round: number, on: TestService) =>
    call(
      on.baseUrl,
      'POST',
      '/v1/events',
      Array.from({ length: 50 }, (_, i) => ({ type: 'a.b', tenant_id: 'many', data: `${round}-${i}` })),
    );
  let handedOver = 0;
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all([events(2 * round, whole), events(2 * round + 1, other)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const items: readonly { id: string }[] = answers[0]!.body.items;
    // Bodies are remembered of what is read.
    handedOver += items.filter(({ id }) => whole.context.bodies.get(parseEventId(id)!) === undefined).length;
  }
  expect(handedOver).toBeGreaterThan(0);
  await untilDelivered('many');
  for (const prefix of ['/many/a/', '/many/b/']) {
    const ids = at(prefix).map(({ headers }) => headers['webhook-id']);
    expect([ids.length, new Set(ids).size]).toEqual([2_001, 2_001]);
  }
});

import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { OUTCOME_CODES } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { receiverPaths } from '../support/receiver-paths.ts';
import { createEndpoint, openStage, type Stage, TENANT } from '../support/stage.ts';

/** Loopback and the unspecified address in every spelling that some parser takes for one. */
const LITERALS = [
  ...['127.0.0.1', '127.1', '127.255.255.254', '0x7f.1', '0x7f000001', '2130706433', '017700000001', '0177.0.0.1'],
  ...['127。0。0。1', '１２７.0.0.1', '%31%32%37.0.0.1', '0.0.0.0', '0', '[::1]', '[::]', '[0:0:0:0:0:0:0:1]'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'],
];

/** Listens on every address of this host and counts whoever connects. */
async function openCanary() {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

let guarded: Stage;
let api: string;
/** May deliver to loopback. */
let open: Stage;
let openApi: string;

beforeAll(async () => {
  [guarded, open] = await Promise.all([openStage({ env: { ALLOWED_NETWORKS: '' } }), openStage()]);
  const started = await Promise.all([guarded, open].map((stage) => stage.start('api,worker')));
  [api, openApi] = started.map(({ baseUrl }) => baseUrl) as [string, string];
  await call(api, 'POST', '/v1/tenants', { id: TENANT });
});
beforeEach(() => onTestFailed(() => console.error(guarded.logs(), open.logs())));
afterAll(() => Promise.all([guarded, open].map((stage) => stage?.close())));

test('G6: an endpoint at loopback, in whatever spelling, is refused when it is written', async () => {
  const canary = await openCanary();
  for (const host of [
    ...LITERALS,
    'localhost',
    'LOCALHOST',
    'a.localhost',
    '169.254.169.254',
    'metadata.google.internal',
  ]) {
    const { status } = await call(api, 'POST', `/v1/tenants/${TENANT}/endpoints`, {
      url: `http://${host}:${canary.port}/`,
    });
    expect({ host, status }).toEqual({ host, status: 422 });
  }
});

test('G6: an endpoint whose address turns into loopback after it was written gets no connection, only blocked attempts', async () => {
  const canary = await openCanary();
  const hosts = [...LITERALS, 'localhost', 'localhost.'];
  for (const host of hosts) {
    const { id } = await createEndpoint(api, { url: 'http://receiver.example/', retry_schedule: [0] });
    // Behind the API's back, as a name's owner does who changes what it resolves to; also unnormalised, which the API never stores.
    await guarded.query('UPDATE endpoints SET url = $2, version = version + 1 WHERE id = $1', [
      id,
      `http://${host}:${canary.port}/`,
    ]);
  }
  const { body } = await call(api, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  expect(body.deliveries).toBe(hosts.length);
  await eventually(
    () => guarded.query('SELECT 1 FROM mailbox'),
    (rows) => rows.length === 0,
  );
  const outcomes = await guarded.query(
    'SELECT e.url, a.outcome, a.detail FROM attempts a JOIN endpoints e ON e.num = a.endpoint_num',
  );
  const notBlocked = outcomes.filter(({ outcome }) => outcome !== OUTCOME_CODES.blocked);
  // A name that ends with a dot may also just not be found.
  expect(
    notBlocked.filter(({ url, outcome }) => !(url.includes('localhost.:') && outcome === OUTCOME_CODES.dns)),
  ).toEqual([]);
  expect(canary.connections()).toBe(0);
});

test('G6, F34: a redirect is not followed, be it to the metadata service, to the receiver itself or to a third party', async () => {
  const canary = await openCanary();
  const receiver = receiverPaths(open.receiver);
  const targets = [
    'http://169.254.169.254/latest/meta-data/',
    receiver.url('/again'),
    `http://127.0.0.1:${canary.port}/`,
  ];
  const codes = [301, 302, 303, 307, 308];
  for (const [i, location] of targets.entries()) {
    receiver.behave(`/${i}`, (_request, response, index) => void response.writeHead(codes[index]!, { location }).end());
    await createEndpoint(openApi, { url: receiver.url(`/${i}`), retry_schedule: [0, 0, 0, 0, 0] });
  }
  await call(openApi, 'POST', '/v1/events', { type: 'a.b', tenant_id: TENANT, data: {} });
  await eventually(
    () => open.query('SELECT 1 FROM mailbox'),
    (rows) => rows.length === 0,
  );
  const rejected = [OUTCOME_CODES.rejected];
  expect(await open.query('SELECT DISTINCT endpoint_num FROM attempts WHERE outcome = $1', rejected)).toHaveLength(
    targets.length,
  );
  for (const i of targets.keys()) expect(receiver.at(`/${i}`)).toHaveLength(codes.length);
  expect(receiver.at('/again')).toEqual([]);
  expect(canary.connections()).toBe(0);
});

test('G6: our own listener, Postgres and Redis are reached by no delivery, though their network is allowed', async () => {
  const tenant = 'inward';
  const own = [openApi, open.databaseUrl, open.env.REDIS_URL!]
    .filter((url) => url !== '')
    .map((url) => new URL(url).port);
  for (const port of own) {
    const { id } = await createEndpoint(openApi, { url: 'http://receiver.example/', retry_schedule: [0] }, tenant);
    const url = `http://127.0.0.1:${port}/v1/tenants`;
    expect(await call(openApi, 'POST', `/v1/tenants/${tenant}/endpoints`, { url })).toMatchObject({ status: 422 });
    await open.query('UPDATE endpoints SET url = $2, version = version + 1 WHERE id = $1', [id, url]);
  }
  expect(own.length).toBeGreaterThanOrEqual(2);
  await call(openApi, 'POST', '/v1/events', { type: 'a.b', tenant_id: tenant, data: {} });
  await eventually(
    () => open.query('SELECT 1 FROM mailbox'),
    (rows) => rows.length === 0,
  );
  const attempted = await open.query(
    `SELECT DISTINCT a.endpoint_num, a.outcome
       FROM attempts a JOIN endpoints e ON e.num = a.endpoint_num JOIN tenants t ON t.num = e.tenant_num WHERE t.id = $1`,
    [tenant],
  );
  expect(attempted.map(({ outcome }) => outcome)).toEqual(own.map(() => OUTCOME_CODES.blocked));
});

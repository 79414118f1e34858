import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { laneOf } from '../../src/routing/lane-of.ts';
import { findSleepingLanes } from '../../src/store/lanes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { startReceiver } from '../support/receiver.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService } from '../support/test-service.ts';

test.each([
  // Another signature scheme brings a secret of its own.
  ['another signature scheme', 'PATCH', '', { signature: 'v1a' }],
  ['a rotation', 'POST', '/secret/rotate', { overlap_seconds: 0 }],
])(
  'an endpoint whose secret does not open lets its lane sleep, and gets its deliveries when %s brings one that does',
  async (_what, method, action, body) => {
    const receiver = await startReceiver();
    const service = await startTestService({ worker: true });
    onTestFinished(async () => {
      await service.stop();
      await receiver.close();
    });
    const pool = service.context.apiPool;
    const endpoint = await makeEndpoint(service, await makeTenant(service, 'acme'), { url: receiver.url });
    const lane = laneOf(endpoint.num, TEST_LANES);
    await pool.query('UPDATE endpoint_secrets SET sealed = $1', [randomBytes(60)]);
    await call(service.baseUrl, 'POST', '/v1/events', { type: 'a.b', tenant_id: 'acme', data: {} });
    const read = () =>
      pool.query(
        `SELECT owner, (SELECT parked FROM mailbox) AS parked, wake_at > now() + interval '30 s' AS sleeps FROM lanes WHERE lane = $1`,
        [lane],
      );
    await eventually(read, ({ rows }) => rows[0].owner === null && rows[0].parked === true && rows[0].sleeps === true);
    expect((await findSleepingLanes(pool)).filter((found) => found.lane === lane)).toEqual([]);
    const path = `/v1/tenants/acme/endpoints/${endpoint.id}${action}`;
    expect((await call(service.baseUrl, method, path, body)).status).toBe(200);
    await receiver.received(1);
  },
);

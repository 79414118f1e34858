import { expect, onTestFinished, test } from 'vitest';
import { laneOf } from '../../src/routing/lane-of.ts';
import { WorkerSession } from '../../src/store/worker-session.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { makeEndpoint, makeTenant } from '../support/log-fixture.ts';
import { TEST_LANES } from '../support/test-server.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

/** A worker of another process, as far as it listens: rows of the lane that were to be seen at each call for it. */
async function listenFor(lane: number, service: TestService) {
  const { workerPool } = service.context;
  const seen: number[] = [];
  const failures: unknown[] = [];
  const look = async (lanes: readonly number[]) => {
    if (!lanes.includes(lane)) return;
    const { rows } = await workerPool.query('SELECT count(*)::int AS rows FROM mailbox WHERE lane = $1', [lane]);
    seen.push(rows[0].rows);
  };
  const session = new WorkerSession({
    pool: workerPool,
    workerId: 'listener',
    // One that is not had in two seconds is tried for again.
    onFailure: () => {},
    onCall: (lanes) => void look(lanes).catch((error: unknown) => failures.push(error)),
  });
  session.start();
  onTestFinished(() => session.close());
  await eventually(
    async () => session.heldMs,
    (ms) => ms > 0,
  );
  return { seen, failures };
}

test('a worker in another process is called for every event, when its delivery is to be seen', async () => {
  const service = await startTestService();
  onTestFinished(() => service.stop());
  const tenant = await makeTenant(service, 'acme');
  const { num } = await makeEndpoint(service, tenant);
  const { seen, failures } = await listenFor(laneOf(num, TEST_LANES), service);
  const post = async () => {
    const event = { tenant_id: tenant.id, type: 'order.created', data: {} };
    expect((await call(service.baseUrl, 'POST', '/v1/events', event)).status).toBe(202);
  };
  await post();
  // The first call goes out behind its commit.
  await eventually(
    async () => seen.length,
    (calls) => calls > 0,
  );
  expect(seen).toEqual([1]);
  // Some of these come too soon after each other for a call of their own.
  await Promise.all(Array.from({ length: 19 }, post));
  await eventually(
    async () => Math.max(...seen),
    (rows) => rows === 20,
  );
  expect(failures).toEqual([]);
});

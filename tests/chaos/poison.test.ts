import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { deliveryIdOf } from '../../src/domain/ids.ts';
import { DECISION } from '../../src/store/codes.ts';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { ok } from '../support/receiver.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { createEndpoint, type Stage, stageForTest, TENANT } from '../support/stage.ts';

const EVENTS = 30;
/** A receiver that takes its time, so that innocent deliveries are under way at each kill. */
const SLOW_MS = 500;

/** A worker that is started anew whenever it dies, as a supervisor does it. */
function superviseWorker(stage: Stage) {
  let current: Promise<ServiceProcess>;
  let kills = 0;
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const start = async (): Promise<void> => {
    current = stage.start('worker');
    void (await current).exited.then(restart);
  };
  const restart = async (): Promise<void> => {
    if (isOver) return;
    // How soon others may have its lanes is another test's question.
    await stage.query(`UPDATE lanes SET leased_until = '-infinity' WHERE owner IS NOT NULL`).catch(() => {});
    await start().catch(() => {});
  };
  return {
    start,
    // It may send before it has said that it is up.
    kill: async () => {
      const killed = await current;
      kills++;
      killed.signal('SIGKILL');
    },
    kills: () => kills,
    said: async (what: RegExp) => (await current).said(what),
  };
}

test('F40, F41: a delivery that kills its worker is set aside after a few crashes, all others are delivered, and a retry by hand brings it back', async () => {
  const stage = await stageForTest();
  const api = (await stage.start('api')).baseUrl;
  const worker = superviseWorker(stage);
  const answerLater = (response: ServerResponse) => void setTimeout(() => response.writeHead(204).end(), SLOW_MS);
  stage.receiver.behave(({ path, body }, response) => {
    if (path === '/poisoned' && body.includes('"poison":true')) void worker.kill();
    else answerLater(response);
  });
  const paths = ['/poisoned', '/other', '/third'];
  for (const path of paths) await createEndpoint(api, { url: stage.receiver.url + path });
  const events = Array.from({ length: EVENTS }, (_, i) => ({
    type: 'a.b',
    tenant_id: TENANT,
    data: { poison: i === EVENTS >> 1 },
  }));
  await call(api, 'POST', '/v1/events', events);
  await worker.start();
  const [row] = await eventually(
    () => stage.query('SELECT event_id, endpoint_num, crashes FROM poisoned_deliveries'),
    (rows) => rows.length > 0,
    // Several leases have to end, one after the other.
    4 * PATIENCE_MS,
  );
  expect(worker.kills()).toBeLessThanOrEqual(5);
  await worker.said(/"delivery.set_aside"/);
  const delivered = () => stage.query(`SELECT count(*)::int AS count FROM attempts WHERE decision = ${DECISION.done}`);
  await eventually(delivered, ([{ count }]) => count === paths.length * EVENTS - 1);

  const id = deliveryIdOf(row.event_id, row.endpoint_num);
  const path = `/v1/tenants/${TENANT}/deliveries/${id}`;
  expect((await call(api, 'GET', path)).body).toMatchObject({
    status: 'pending',
    attempts: 0,
    next_attempt_at: null,
    problem: expect.stringContaining('died each time'),
  });
  const listed = (await call(api, 'GET', `/v1/tenants/${TENANT}/deliveries?status=pending`)).body;
  expect(listed.data).toMatchObject([{ id, next_attempt_at: null }]);
  const setAside = async () => (await call(api, 'GET', '/v1/set-aside-deliveries')).body.data;
  expect(await setAside()).toMatchObject([{ delivery_id: id, tenant_id: TENANT, crashes: row.crashes }]);

  stage.receiver.behave(ok);
  expect((await call(api, 'POST', `${path}/retry`, {})).status).toBe(202);
  await eventually(delivered, ([{ count }]) => count === paths.length * EVENTS);
  expect((await call(api, 'GET', path)).body).toMatchObject({ status: 'delivered', problem: null });
  expect(await setAside()).toEqual([]);
  expect(await stage.query('SELECT 1 FROM poisoned_deliveries')).toEqual([]);
});

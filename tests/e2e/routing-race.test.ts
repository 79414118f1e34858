import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createEndpoint, stageForTest, TENANT } from '../support/stage.ts';

const CHANGES = 40;
const SIDES = ['left', 'right'] as const;

/** Subscriptions after so many changes. */
const wantedBy = (changes: number) => SIDES[changes % 2]!;
const settings = (changes: number) => ({
  subscriptions: [{ types: ['side.*'], filter: { data: { side: [wantedBy(changes)] } } }],
});

test('events that race subscription changes on two API processes go by a set that was in force meanwhile, and by the new one once it was answered', async () => {
  const stage = await stageForTest();
  const apis = await Promise.all([stage.start('api'), stage.start('api')]);
  const { id } = await createEndpoint(apis[0]!.baseUrl, { url: stage.receiver.url, ...settings(0) });
  let started = 0;
  let answered = 0;
  let promised = 0;
  /** Events, by process, that no change overlapped: the answer is certain for them. */
  const certain = [0, 0];

  const post = async (process: number, side: string) => {
    const body = { type: 'side.event', tenant_id: TENANT, data: { side } };
    const since = answered;
    const again = { 'idempotency-key': randomUUID() };
    const send = () => call(apis[process]!.baseUrl, 'POST', '/v1/events', body, again);
    // A tenant that changes without a pause may find its events refused for a moment; producers send them again. What a 503 says nothing of
    // may be stored already: the key tells.
    const { status, body: answer } = await eventually(send, (response) => response.status !== 503);
    expect(status).toBe(202);
    const inForce = Array.from({ length: started - since + 1 }, (_, i) => (wantedBy(since + i) === side ? 1 : 0));
    expect(inForce, `${side} at process ${process}, changes ${since} to ${started}`).toContain(answer.deliveries);
    if (started === since) certain[process]!++;
    promised += answer.deliveries;
  };

  const racing = apis.map(async (_api, process) => {
    for (let n = 0; answered < CHANGES; n++) await post(process, SIDES[n % 2]!);
  });
  const changing = async () => {
    for (let change = 1; change <= CHANGES; change++) {
      const changer = apis[change % 2]!;
      started = change;
      const path = `/v1/tenants/${TENANT}/endpoints/${id}`;
      expect((await call(changer.baseUrl, 'PATCH', path, settings(change))).status).toBe(200);
      answered = change;
      await Promise.all(apis.flatMap((_api, process) => SIDES.map((side) => post(process, side))));
    }
  };
  await Promise.all([changing(), ...racing]);
  expect(Math.min(...certain)).toBeGreaterThanOrEqual(CHANGES * 2);
  const [{ stored }] = await stage.query('SELECT count(*)::int AS stored FROM mailbox');
  expect(stored).toBe(promised);
});

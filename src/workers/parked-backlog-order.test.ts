import { afterEach, expect, test, vi } from 'vitest';
import { answered } from './fixtures/fake-sender.ts';
import { LaneRig } from './fixtures/lane-rig.ts';
import { ParkedBacklog } from './parked-backlog.ts';

let rig: LaneRig;
let events = 0;

afterEach(() => {
  vi.restoreAllMocks();
  rig.time.restore();
  expect(rig.violations).toEqual([]);
});

const LONG_SERVED = 1;

function park(endpointNum: number, rows: number): void {
  for (let i = 0; i < rows; i++) rig.model.add(++events, endpointNum, rig.model.now - 1_000).parked = true;
}

const sentTo = (isMeant: (endpointNum: number) => boolean) =>
  rig.sent.filter(({ endpointNum }) => isMeant(endpointNum)).length;

const toOthers = () => sentTo((num) => num !== LONG_SERVED);
const toLongServed = () => sentTo((num) => num === LONG_SERVED);

/**
 * An endpoint that takes one at once works off a parked backlog for a while; then many others are found that have one, too.
 * @returns how many it had been sent by then
 */
async function othersGetBacklogs(endpoints: number, each: number, tenantOf: (num: number) => number): Promise<number> {
  const fate = ({ endpointNum }: { endpointNum: number }) => ({
    outcome: answered(200),
    afterMs: endpointNum === LONG_SERVED ? 20 : 2,
  });
  rig = new LaneRig({ lanes: 1, maxInFlight: 1_024, fate });
  rig.time.install();
  rig.model.addEndpoint(LONG_SERVED, 0, 1).tenantNum = 1;
  park(LONG_SERVED, 800);
  void rig.startWorker().owner.hold(0);
  await rig.time.pass(1_000, () => rig.sent.length === 20);
  for (let num = 2; num < 2 + endpoints; num++) {
    rig.model.addEndpoint(num, 0, 1).tenantNum = tenantOf(num);
    park(num, each);
  }
  expect(await rig.time.pass(15_000, () => toOthers() > 0)).toBe(true);
  return toLongServed();
}

test('an endpoint that works off a parked backlog goes on when a tenant comes that has very many', async () => {
  const before = await othersGetBacklogs(150, 10, () => 2);
  const from = rig.time.now;
  await rig.time.pass(60_000, () => toOthers() > 1_000);
  const seconds = (rig.time.now - from) / 1_000;
  // About as many as it is sent alone.
  expect((toLongServed() - before) / seconds).toBeGreaterThan(20);
});

test('an endpoint that works off a parked backlog goes on when very many others of its tenant have one', async () => {
  const before = await othersGetBacklogs(150, 10, () => 1);
  await rig.time.pass(60_000, () => toOthers() > 1_000);
  expect(toLongServed() - before).toBeGreaterThan(0);
});

test('backlogs of deleted endpoints, which are done with as they are read, do not go first each time', async () => {
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, fate: () => ({ outcome: answered(200), afterMs: 2 }) });
  rig.time.install();
  for (let num = 1; num <= 110; num++) {
    const endpoint = rig.model.addEndpoint(num, 0, 2);
    Object.assign(endpoint, { tenantNum: 1, deleted: num <= 80 });
    park(num, 300);
  }
  void rig.startWorker().owner.hold(0);
  const served = () => new Set(rig.sent.map(({ endpointNum }) => endpointNum)).size;
  expect(await rig.time.pass(60_000, () => served() === 30)).toBe(true);
  // Far from all of the 24,000 that the deleted ones had.
  expect([...rig.model.rows.values()].filter(({ endpointNum }) => endpointNum <= 80).length).toBeGreaterThan(12_000);
});

test('no turn of a parked backlog is spent while memory has no room to read it', async () => {
  const [waiting, live] = [200, 50];
  const reads = vi.spyOn(ParkedBacklog.prototype, 'refillsOf');
  const fate = ({ endpointNum }: { endpointNum: number }) => ({
    outcome: answered(200),
    afterMs: endpointNum <= waiting ? 50 : 20,
  });
  rig = new LaneRig({ lanes: 1, maxInFlight: 256, pauseMs: 10, fate });
  rig.time.install();
  for (let num = 1; num <= waiting; num++) {
    rig.model.addEndpoint(num, 0, 1).tenantNum = 1;
    park(num, 60);
  }
  for (let num = waiting + 1; num <= waiting + live; num++) rig.model.addEndpoint(num, 0, 20).tenantNum = 100 + num;
  void rig.startWorker().owner.hold(0);
  for (let i = 0; i < 25; i++) {
    for (let num = waiting + 1; num <= waiting + live; num++)
      for (let each = 0; each < 3; each++) rig.model.add(++events, num, rig.model.now);
    rig.wake(0);
    await rig.time.pass(20);
  }
  const dealt = reads.mock.results.filter(({ value }) => value.refills.length > 0);
  // The last one may be on its way.
  expect(dealt.length - rig.model.refills.length).toBeLessThanOrEqual(1);
  expect(rig.model.refills.length).toBeGreaterThan(10);
});

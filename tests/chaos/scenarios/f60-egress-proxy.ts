import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario } from '../harness/scenario.ts';
import { accepted, step } from '../steps/flow.ts';

/** Long enough for a breaker to open ten times over, if these failures counted. */
const AWAY_MS = 8_000;
const REFUSES_MS = 4_000;
const WITHOUT_CREDENTIALS = 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n';

/** Judged while the fault lasts: afterwards a breaker may have closed again. */
async function breakersStayClosed(play: Play): Promise<void> {
  const states = await Promise.all(
    play.endpoints.map(async ({ id, tenant }) => {
      const { breaker } = await play.call('GET', `/v1/tenants/${tenant}/endpoints/${id}/stats`);
      return breaker.state as string;
    }),
  );
  const open = states.filter((state) => state !== 'closed');
  play.found.push(
    verdict('no breaker opens', open.length === 0 ? [] : [`${open.length} are not closed`], 'all closed'),
  );
}

export const f60: Scenario = {
  id: 'F60',
  title: `the egress proxy dies for ${AWAY_MS / 1000} s, and then refuses our credentials for ${REFUSES_MS / 1000} s`,
  rows: ['F60'],
  expected: 'held and said so, no breaker opens, no attempt of a schedule is used up, recovery by itself',
  stage: { egressProxy: true },
  // Used up within seconds, if these failures counted. A request that dies with its tunnel counts, and
  // may be repeated: of an endpoint there are fewer of them than open its breaker.
  endpoints: ['acme', 'acme', 'globex', 'globex'].map((tenant, i) => ({
    name: `${i} of ${tenant}`,
    tenant,
    settings: { retry_schedule: [0, 1, 1, 1], max_in_flight: 4 },
  })),
  steps: [
    step(`egress proxy away for ${AWAY_MS / 1000} s`, async (play) => {
      const proxy = play.servers.egressProxy!;
      const held = Promise.all(play.workers.living.map((worker) => worker.said(/"event":"egress\.held"/)));
      await proxy.stop();
      await held;
      await play.pause(AWAY_MS);
      await breakersStayClosed(play);
      await proxy.start();
      await Promise.all(play.workers.living.map((worker) => worker.said(/"event":"egress\.released"/)));
    }),
    accepted(60),
    step(`egress proxy answers 407 for ${REFUSES_MS / 1000} s`, async (play) => {
      const proxy = play.servers.egressProxy!;
      await proxy.stop();
      proxy.answer = WITHOUT_CREDENTIALS;
      await proxy.start();
      await play.pause(REFUSES_MS);
      await breakersStayClosed(play);
      proxy.answer = null;
      play.markHealed();
    }),
    accepted(60),
  ],
  repeatsAtMost: 16,
  check: async ({ play }) => {
    const direct = await play.query("SELECT count(*)::int AS count FROM attempts WHERE detail LIKE 'egress proxy:%'");
    const asked = play.servers.egressProxy!.asked.length;
    const text = `${asked} tunnels were asked for, ${direct[0].count} attempts were put off`;
    return [verdict('the proxy was on the way', asked > 0 && direct[0].count > 0 ? [] : [text], text)];
  },
};

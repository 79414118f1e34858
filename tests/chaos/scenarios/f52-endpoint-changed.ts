import { answer, ok } from '../harness/behaviour.ts';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario } from '../harness/scenario.ts';
import { behave, post, received, step } from '../steps/flow.ts';

const path = (play: Play, endpoint: number) => {
  const { id, tenant } = play.endpoints[endpoint]!;
  return `/v1/tenants/${tenant}/endpoints/${id}`;
};

/** Fewer than open a breaker: what keeps these waiting is their schedule. */
const EVENTS = 8;

export const f52: Scenario = {
  id: 'F52',
  title: 'secret rotated, endpoint disabled and enabled, endpoint deleted, while deliveries wait for their retry',
  rows: ['F52'],
  expected: 'the values at the attempt count: signed with the new secret, sent once enabled, cancelled once deleted',
  endpoints: ['rotated', 'disabled', 'deleted'].map((name) => ({
    name,
    behaviour: answer(503),
    settings: { retry_schedule: [0, 3, 3, 3, 3] },
  })),
  load: null,
  steps: [
    post(EVENTS),
    received(({ requests }) => requests === 3 * EVENTS),
    step('secret rotated, endpoint disabled, endpoint deleted', async (play) => {
      await play.call('POST', `${path(play, 0)}/secret/rotate`, { overlap_seconds: 0 });
      const { secret } = await play.call('GET', `${path(play, 0)}/secret`);
      // From now on the old secret does not verify any more.
      play.receiver.trust(0, 'acme', [secret]);
      await play.call('PATCH', path(play, 1), { enabled: false });
      await play.call('DELETE', path(play, 2), undefined, 204);
    }),
    behave(ok),
    step('the disabled endpoint is enabled after 5 s', async (play) => {
      await play.pause(5_000);
      const { endpoints } = await play.receiver.report();
      const faults = [1, 2]
        .filter((i) => endpoints[i]!.requests > EVENTS)
        .map((i) => `endpoint ${i} had ${endpoints[i]!.requests} requests`);
      play.found.push(
        verdict('nothing goes to a disabled or deleted endpoint', faults, `${EVENTS} requests each, from before`),
      );
      await play.call('PATCH', path(play, 1), { enabled: true });
      play.markHealed();
    }),
  ],
};

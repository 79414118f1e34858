import { setTimeout as delay } from 'node:timers/promises';
import { verdict } from '../harness/judge.ts';
import { isReady } from '../harness/readiness.ts';
import type { Step } from '../harness/scenario.ts';

const LOOK_MS = 200;

/** From here to the heal at least one api process calls itself ready, whenever one looks: whoever balances the load has somebody to send it to. */
export function watchApis(): Step {
  return {
    what: '',
    run: async (play) => {
      const stopping = new AbortController();
      const seen = { looks: 0, without: 0 };
      const watching = (async () => {
        while (!stopping.signal.aborted) {
          const answers = await Promise.all(play.apis.living.map(({ baseUrl }) => isReady(baseUrl)));
          seen.looks++;
          if (!answers.includes(true)) seen.without++;
          await delay(LOOK_MS);
        }
      })();
      play.onHeal(async () => {
        stopping.abort();
        await watching;
        const text = `at ${seen.without} of ${seen.looks} looks none was ready`;
        const isHeld = seen.looks > 0 && seen.without === 0;
        play.found.push(verdict('no outage: an api process was always ready', isHeld ? [] : [text], text));
      });
    },
  };
}

import { answer, some } from '../harness/behaviour.ts';
import { readRetries } from '../harness/early-retries.ts';
import { verdict } from '../harness/judge.ts';
import { RETRY_SCHEDULE } from '../harness/play.ts';
import { readLedger } from '../harness/read-ledger.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';

const behaviour = some(0.2, answer(503));

/** What scenarios with wrong clocks share: retries to be early, late or too many. That none is late is I3, within the time that recovery may take. */
export const withRetries: Pick<Scenario, 'endpoints' | 'check'> = {
  endpoints: [
    { name: 'first', behaviour },
    { name: 'second', tenant: 'globex', behaviour },
  ],
  check: async ({ play }: Outcome) => {
    const { firsts, retries, failed, early } = await readRetries(readLedger(play.ledgerPath), RETRY_SCHEDULE);
    const text = `${firsts} first attempts, ${failed} failed, ${retries} retries`;
    const none = retries === 0 ? ['there was no retry'] : [];
    const more = early.length > 3 ? ['…'] : [];
    return [
      verdict('no retry came before its time', [...none, ...early.slice(0, 3), ...more], `${retries} retries`),
      verdict('no storm: one retry for each attempt that failed', retries === failed ? [] : [text], text),
    ];
  },
};

import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import { isReady } from '../harness/readiness.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';

/** Longer than a lane's lease: another worker may take the lanes, and make again what the first could not write down. */
const LEASE_MS = 8_000;

function mayInterrupt(play: Play, outageMs: number): void {
  if (outageMs > LEASE_MS / 2 && play.workers.places > 1) play.interruptions += play.workers.places;
}

/** kill -9, as a power cut does it: the next start recovers from the log. */
export function postgresAway(forMs: number): Step {
  return step(`kill -9 Postgres, start after ${forMs / 1000} s`, async (play) => {
    mayInterrupt(play, forMs);
    await play.servers.postgres.crash();
    await untilUnready(play);
    await play.pause(forMs);
    await play.servers.postgres.start();
    play.markHealed();
  });
}

/** Connections stay open and nothing answers. */
export function postgresHangs(forMs: number): Step {
  return step(`SIGSTOP Postgres for ${forMs / 1000} s`, async (play) => {
    mayInterrupt(play, forMs);
    const thaw = await play.servers.postgres.freeze();
    play.onHeal(async () => thaw());
    const unready = untilUnready(play);
    await play.pause(forMs);
    await unready;
    thaw();
    play.markHealed();
  });
}

const UNREADY_WITHIN_MS = 15_000;

/** I10: a process that cannot progress says so. */
export async function untilUnready(play: Play): Promise<void> {
  const startedAt = performance.now();
  const living = () => [...play.apis.living, ...play.workers.living];
  let ready = living();
  while (ready.length > 0 && performance.now() - startedAt < UNREADY_WITHIN_MS) {
    const answers = await Promise.all(ready.map(({ baseUrl }) => isReady(baseUrl)));
    ready = ready.filter((_, i) => answers[i]);
    if (ready.length > 0) await play.pause(100);
  }
  const tookMs = Math.round(performance.now() - startedAt);
  const faults = ready.map(({ pid }) => `process ${pid} still calls itself ready after ${tookMs} ms`);
  play.found.push(verdict('I10 a process that cannot progress is unready within 15 s', faults, `after ${tookMs} ms`));
}

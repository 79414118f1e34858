import { answer, some } from '../harness/behaviour.ts';
import type { Play } from '../harness/play.ts';
import { between, pick } from '../harness/random.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';
import { cut } from './network.ts';
import { postgresAway, postgresHangs } from './postgres.ts';
import { freeze, kill, restart } from './processes.ts';
import { flushAll, redisAway, redisHangs } from './redis.ts';

/** Slow enough that requests are under way whenever a fault comes. */
export const usual = answer(204, { afterMs: 20 });

/** One fault of any kind that the play can suffer, drawn with the play's own randomness. */
export function randomFault(play: Play): Step {
  const { random } = play;
  const ms = (least: number, most: number) => Math.round(between(random, least, most));
  const place = (places: number) => Math.floor(random() * places);
  const always = [
    () => kill('worker', place(play.workers.places), ms(100, 4_000)),
    () => kill('api', place(play.apis.places), ms(100, 2_000)),
    () => restart('worker', place(play.workers.places)),
    () => restart('api', place(play.apis.places)),
    () => freeze('worker', place(play.workers.places), ms(1_000, 12_000)),
    () => freeze('api', place(play.apis.places), ms(500, 3_000)),
    () => postgresAway(ms(500, 4_000)),
    () => postgresHangs(ms(1_000, 5_000)),
    () => cut('postgres'),
    () => receiversHang(ms(1_000, 4_000)),
    () => receiversFail(ms(1_000, 4_000)),
  ];
  const withRedis = [flushAll, flushAll, () => redisAway(ms(500, 6_000)), () => redisHangs(ms(1_000, 6_000))];
  return pick(random, play.backend === 'redis' ? [...always, ...withRedis] : always)();
}

function receiversHang(forMs: number): Step {
  return step(`every receiver hangs for ${forMs / 1000} s`, async (play) => {
    for (const endpoint of play.endpoints.keys()) play.behave(endpoint, { kind: 'hold' });
    await play.pause(forMs);
    for (const endpoint of play.endpoints.keys()) {
      play.behave(endpoint, usual);
      play.receiver.release(endpoint);
    }
    play.markHealed();
  });
}

/** Too few to open a breaker, which would only keep the load away. */
function receiversFail(forMs: number): Step {
  return step(`every receiver answers 503 to 4 in 10 for ${forMs / 1000} s`, async (play) => {
    for (const endpoint of play.endpoints.keys()) play.behave(endpoint, some(0.4, answer(503)));
    await play.pause(forMs);
    for (const endpoint of play.endpoints.keys()) play.behave(endpoint, usual);
    play.markHealed();
  });
}

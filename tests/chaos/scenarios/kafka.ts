import { type Verdict, verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario, Step } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';
import {
  brokerAway,
  KAFKA_TENANT,
  killConsumer,
  produce,
  startConsumers,
  startKafka,
  untilLogged,
} from '../steps/kafka.ts';
import { postgresAway } from '../steps/postgres.ts';

const PARTITIONS = 8;
const EVENTS = 20_000;
const HTTP_BATCH = 500;
const HTTP_AT_ONCE = 4;

const eventsOf = (play: Play) => play.events ?? EVENTS;
/** The others come after the restart of Kafka. */
const early = (play: Play) => Math.floor(eventsOf(play) * 0.8);

/** A million with `--events 1000000`. */
export const kafka: Scenario = {
  id: 'kafka',
  title: 'two consumers of one topic, one killed with -9 twice, a restart of Kafka and one of Postgres',
  rows: ['F59'],
  expected: 'every message is in the log exactly once, in the order of its partition',
  needs: ['kafka'],
  stage: { apis: 1, workers: 1 },
  endpoints: [],
  load: null,
  steps: [
    startKafka(PARTITIONS),
    produce((play) => [0, early(play)], PARTITIONS),
    startConsumers(2),
    measured(0.2),
    killConsumer(0),
    reached(0.35),
    postgresAway(2_000),
    reached(0.5),
    killConsumer(0),
    reached(0.7),
    brokerAway(2_000),
    produce((play) => [early(play), eventsOf(play)], PARTITIONS),
    reached(1),
    step('the same over HTTP', measureHttp),
  ],
  check: async ({ play }) => [await checkLog(play)],
};

function reached(part: number): Step {
  return step('', async (play) => {
    const logged = await untilLogged(play, Math.floor(eventsOf(play) * part));
    play.say(`${logged} messages are events`);
  });
}

/** From the first event on: what the start of the consumers takes is not counted. */
function measured(part: number): Step {
  return step('', async (play) => {
    const before = await untilLogged(play, 1);
    const startedMs = performance.now();
    const logged = await untilLogged(play, Math.floor(eventsOf(play) * part));
    const perSecond = Math.round(((logged - before) * 1000) / Math.max(1, performance.now() - startedMs));
    play.say(`${logged} messages are events: ${perSecond} events/s through Kafka`);
  });
}

/** Producers that send batches over HTTP to one API, as a measure for the figure above. */
async function measureHttp(play: Play): Promise<void> {
  const batches = Math.max(HTTP_AT_ONCE, Math.floor((eventsOf(play) * 0.2) / HTTP_BATCH));
  let next = 0;
  const startedMs = performance.now();
  const produceSome = async () => {
    while (next++ < batches) {
      const events = Array.from({ length: HTTP_BATCH }, (_, i) => ({
        type: 'http.message',
        tenant_id: KAFKA_TENANT,
        data: { i },
      }));
      await play.call('POST', '/v1/events', events, 202);
    }
  };
  await Promise.all(Array.from({ length: HTTP_AT_ONCE }, produceSome));
  const perSecond = Math.round((batches * HTTP_BATCH * 1000) / (performance.now() - startedMs));
  play.say(`${perSecond} events/s over HTTP, in batches of ${HTTP_BATCH}`);
}

async function checkLog(play: Play): Promise<Verdict> {
  const wanted = eventsOf(play);
  const [found] = await play.query(`
    WITH log AS (
      SELECT id, (data ->> 'p')::int AS p, (data ->> 's')::int AS s
        FROM (SELECT id, convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM events WHERE type = 'kafka.message') e
    ), steps AS (SELECT s - lag(s, 1, -1) OVER (PARTITION BY p ORDER BY id) AS step FROM log)
    SELECT (SELECT count(*)::int FROM log) AS events, (SELECT count(DISTINCT (p, s))::int FROM log) AS different,
           (SELECT count(*)::int FROM steps WHERE step <> 1) AS misplaced, (SELECT count(*)::int FROM rejected_messages) AS rejected`);
  const { events, different, misplaced, rejected } = found;
  const faults = [
    ...(different === wanted ? [] : [`${different} of ${wanted} messages are in the log`]),
    ...(events === different ? [] : [`${events - different} are there twice`]),
    ...(misplaced === 0 ? [] : [`${misplaced} are out of the order of their partition`]),
    ...(rejected === 0 ? [] : [`${rejected} were rejected`]),
  ];
  return verdict('every message is an event exactly once, in the order of its partition', faults, `${events} messages`);
}

import { eventually } from '../../support/eventually.ts';
import { type RabbitmqProcess, startRabbitmqProcess } from '../../support/rabbitmq-process.ts';
import { RabbitmqProducer } from '../../support/rabbitmq-producer.ts';
import { Crew } from '../harness/crew.ts';
import { environmentOf } from '../harness/environment.ts';
import { type Verdict, verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Scenario } from '../harness/scenario.ts';
import { step } from '../steps/flow.ts';

const MESSAGES = 20_000;
const TENANT = 'bus';
const EXCHANGE = 'bus';
/** One queue that two processes empty together, and one that they empty one at a time, in order. */
const QUEUES = ['free', 'ordered'] as const;
const STUCK_MS = 180_000;
/** So many may be published and not be stored yet: the faults come while messages come. */
const AHEAD = 1_500;

export const rabbitmq: Scenario = {
  id: 'rabbitmq',
  title:
    '20,000 messages through RabbitMQ into two processes: both killed -9, RabbitMQ and Postgres restarted meanwhile',
  rows: ['F59'],
  expected: 'every confirmed message is in the log exactly once; those of the ordered queue in their order',
  needs: ['rabbitmq'],
  stage: { apis: 1, workers: 1 },
  load: null,
  steps: [step('messages begin to come', playBus)],
};

async function playBus(play: Play): Promise<void> {
  const broker = await startRabbitmqProcess();
  play.onClose(() => broker.close());
  const ingest = new Crew('ingest', environmentOf(play.servers));
  play.onClose(() => ingest.close());
  await ingest.start(2);
  await play.call('POST', '/v1/tenants', { id: TENANT }, 201);
  for (const queue of QUEUES) await play.call('POST', '/v1/sources', sourceOf(queue, broker), 201);
  await eventually(
    async () => consumersOf(play),
    (count) => count === 2 * QUEUES.length,
    STUCK_MS,
  );
  await broker.settle();

  const count = Math.ceil((play.askedEvents ?? MESSAGES) / QUEUES.length);
  const began = performance.now();
  const producers = QUEUES.map((queue) => produce(play, broker, queue, count));
  const done = Promise.all(producers.map((each) => each.done));
  for (const [part, what, fault] of faultsOf(play, ingest, broker)) {
    await untilStored(play, part * count * QUEUES.length);
    play.say(what);
    await fault();
  }
  await done;
  await untilStored(play, count * QUEUES.length);
  const seconds = (performance.now() - began) / 1000;
  play.say(
    `${count * QUEUES.length} messages in ${seconds.toFixed(1)} s; ${producers.reduce((sum, { producer }) => sum + producer.repeats, 0)} chunks published again`,
  );
  await eventually(
    async () => waitingIn(broker),
    (waiting) => waiting === 0,
    STUCK_MS,
  );
  for (const queue of QUEUES) play.found.push(await judge(play, queue, count));
  play.found.push(await nothingRejected(play));
}

function faultsOf(play: Play, ingest: Crew, broker: RabbitmqProcess) {
  const kill = (place: number) => async () => {
    await ingest.end(place, 'SIGKILL');
    await play.pause(300);
    await ingest.startAt(place);
  };
  return [
    [0.1, 'kill -9 ingest 0', kill(0)],
    [0.3, 'RabbitMQ is restarted', () => broker.restart()],
    [0.5, 'Postgres is killed, and started again', () => restartPostgres(play)],
    [0.7, 'kill -9 ingest 1', kill(1)],
  ] as const;
}

async function restartPostgres(play: Play): Promise<void> {
  await play.servers.postgres.crash();
  await play.pause(1_000);
  await play.servers.postgres.start();
  play.markHealed();
}

function sourceOf(queue: (typeof QUEUES)[number], broker: RabbitmqProcess) {
  return {
    type: 'rabbitmq',
    name: queue,
    tenant_id: TENANT,
    connection: { url: broker.url, heartbeat_seconds: 5 },
    consume: {
      exchange: { name: EXCHANGE, type: 'topic' },
      queue: { name: `${EXCHANGE}.${queue}`, single_active_consumer: queue === 'ordered' },
      bindings: [{ routing_key: `${queue}.#` }],
    },
    // Nothing in the event itself tells it from another: what is known is the message's id.
    mapping: { format: 'mapped', type: `const:bus.${queue}`, data: 'body' },
  };
}

function produce(play: Play, broker: RabbitmqProcess, queue: string, count: number) {
  const producer = new RabbitmqProducer(broker.url);
  play.onClose(async () => producer.close());
  const messages = Array.from({ length: count }, (_, n) => ({ messageId: `${queue}-${n}`, body: `{"n":${n}}` }));
  const slowDown = () => untilStored(play, producer.confirmed - AHEAD, `bus.${queue}`);
  const done = producer.publish({ exchange: EXCHANGE, routingKey: `${queue}.tick` }, messages, slowDown);
  // It is waited for later, or not at all when the play is broken off.
  done.catch(() => {});
  return { producer, done };
}

async function consumersOf(play: Play): Promise<number> {
  const { data } = await play.call('GET', '/v1/sources');
  const states = data.flatMap(({ consumers }: { consumers: { state: string }[] }) => consumers);
  return states.filter(({ state }: { state: string }) => state === 'running').length;
}

async function untilStored(play: Play, count: number, type = 'bus.%'): Promise<void> {
  const text = 'SELECT count(*)::int AS count FROM events WHERE type LIKE $1';
  const ask = async () => {
    // Postgres may be away just now.
    const rows = await play.query(text, [type]).catch(() => []);
    return (rows[0]?.count as number | undefined) ?? 0;
  };
  await eventually(ask, (stored) => stored >= count, STUCK_MS);
}

async function waitingIn(broker: RabbitmqProcess): Promise<number> {
  const rows = await broker.ctl('list_queues', 'name', 'messages', '--no-table-headers');
  return rows
    .trim()
    .split('\n')
    .reduce((sum, row) => sum + Number(row.split('\t')[1] ?? 0), 0);
}

async function judge(play: Play, queue: string, count: number): Promise<Verdict> {
  const text = `SELECT (convert_from(body, 'UTF8')::jsonb -> 'data' ->> 'n')::int AS n FROM events WHERE type = $1 ORDER BY id`;
  const numbers: number[] = (await play.query(text, [`bus.${queue}`])).map(({ n }) => n);
  const known = new Set(numbers);
  const missing = Array.from({ length: count }, (_, n) => n).filter((n) => !known.has(n));
  const faults = missing.slice(0, 5).map((n) => `message ${n} is missing`);
  if (numbers.length !== known.size) faults.push(`${numbers.length - known.size} are in the log twice`);
  if (queue !== 'ordered') return verdict(`F59 ${queue}: each message once`, faults, `${numbers.length} messages`);
  const turned = numbers.findIndex((n, i) => i > 0 && n < numbers[i - 1]!);
  if (turned >= 0) faults.push(`${numbers[turned]} comes after ${numbers[turned - 1]}`);
  return verdict(`F59 ${queue}: each message once, in order`, faults, `${numbers.length} messages`);
}

async function nothingRejected(play: Play): Promise<Verdict> {
  const [row] = await play.query('SELECT count(*)::int AS count FROM rejected_messages');
  const faults = row.count === 0 ? [] : [`${row.count} messages were rejected`];
  return verdict('F59 no message is taken for a bad one', faults, 'none');
}

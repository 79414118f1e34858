import { type KafkaProcess, startKafkaProcess } from '../../support/kafka-process.ts';
import { Crew } from '../harness/crew.ts';
import { environmentOf } from '../harness/environment.ts';
import type { Play } from '../harness/play.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';

const KAFKA_TOPIC = 'load';
export const KAFKA_TENANT = 'acme';
const BATCH = 2_000;
const LOOK_MS = 100;
const STUCK_MS = 180_000;

/** What Kafka scenarios have beside the play's own: a broker, and the processes that consume it. */
interface KafkaStage {
  readonly kafka: KafkaProcess;
  readonly ingests: Crew;
}

const stages = new WeakMap<Play, KafkaStage>();

function kafkaOf(play: Play): KafkaStage {
  const stage = stages.get(play);
  if (stage === undefined) throw new Error('the scenario has no Kafka');
  return stage;
}

/** A broker with one topic, and a source that consumes it; nobody does yet. */
export function startKafka(partitions: number): Step {
  return step(`Kafka, a topic of ${partitions} partitions`, async (play) => {
    const kafka = await startKafkaProcess();
    play.onClose(() => kafka.close());
    const ingests = new Crew('ingest', environmentOf(play.servers));
    play.onClose(() => ingests.close());
    play.others.push(() => [kafka.pid, ...ingests.pids]);
    stages.set(play, { kafka, ingests });
    await kafka.createTopic(KAFKA_TOPIC, partitions);
    await play.call('POST', '/v1/tenants', { id: KAFKA_TENANT }, 201);
    const source = {
      type: 'kafka',
      name: KAFKA_TOPIC,
      tenant_id: KAFKA_TENANT,
      connection: { brokers: [kafka.broker] },
      consume: { topics: [KAFKA_TOPIC], group: 'posthorn' },
      mapping: { format: 'envelope' },
    };
    await play.call('POST', '/v1/sources', source, 201);
  });
}

/** Messages in turn to every partition; each says which of its partition it is. */
export function produce(count: (play: Play) => readonly [from: number, to: number], partitions: number): Step {
  return step('messages are produced', async (play) => {
    const { kafka } = kafkaOf(play);
    const [first, all] = count(play);
    for (let from = first; from < all; from += BATCH) {
      const length = Math.min(BATCH, all - from);
      await kafka.send(
        Array.from({ length }, (_, i) => {
          const n = from + i;
          const data = { p: n % partitions, s: Math.floor(n / partitions) };
          const value = JSON.stringify({ type: 'kafka.message', subject: `s${n % 1_000}`, data });
          return { topic: KAFKA_TOPIC, partition: n % partitions, value };
        }),
      );
    }
    play.say(`${all} messages are in Kafka`);
  });
}

export function startConsumers(count: number): Step {
  return step(`${count} consumers start`, (play) => kafkaOf(play).ingests.start(count));
}

/** kill -9 of a consumer; another is started in its place after a while. */
export function killConsumer(place: number, forMs = 1_000): Step {
  return step(`kill -9 consumer ${place}, another one ${forMs / 1000} s later`, async (play) => {
    const { ingests } = kafkaOf(play);
    await ingests.end(place, 'SIGKILL');
    await play.pause(forMs);
    await ingests.startAt(place);
  });
}

export function brokerAway(forMs: number): Step {
  return step(`kill -9 Kafka, start after ${forMs / 1000} s`, async (play) => {
    const { kafka } = kafkaOf(play);
    await kafka.crash();
    await play.pause(forMs);
    await kafka.start();
    play.markHealed();
  });
}

/** Until so many messages are events. Postgres may be away meanwhile. */
export async function untilLogged(play: Play, count: number): Promise<number> {
  let last = -1;
  let movedMs = performance.now();
  for (;;) {
    const logged = await countLogged(play).catch(() => last);
    if (logged >= count) return logged;
    if (logged !== last) movedMs = performance.now();
    if (performance.now() - movedMs > STUCK_MS) throw new Error(`only ${logged} of ${count} messages are events`);
    last = logged;
    await play.pause(LOOK_MS);
  }
}

async function countLogged(play: Play): Promise<number> {
  const [row] = await play.query(`SELECT count(*)::int AS count FROM events WHERE type = 'kafka.message'`);
  return row.count;
}

import { expect, test } from 'vitest';
import { type SourceInput, sourceInput } from '../config/source-schema.ts';
import { Refusal } from '../domain/errors.ts';
import { createKafkaConsumer } from './kafka-consumer.ts';
import type { SessionOptions } from './kafka-session.ts';

const source = sourceInput.parse({
  type: 'kafka',
  name: 'orders',
  connection: { brokers: ['127.0.0.1:1'] },
  consume: { topics: ['orders'], group: 'g' },
  mapping: { format: 'envelope' },
}) as Extract<SourceInput, { type: 'kafka' }>;

/** A consumer whose sessions do as they are told. */
function consumerOf(run: (session: SessionOptions, signal: AbortSignal) => Promise<void>) {
  const abort = new AbortController();
  const failures: unknown[] = [];
  let sessions = 0;
  let held = 0;
  const consumer = createKafkaConsumer({
    source,
    clientId: 'posthorn',
    intake: async () => {},
    recallStarts: (_, look) => look(),
    onOutOfRange: () => {},
    onStartDeleted: () => {},
    onHolding: (_, change) => {
      held += change;
    },
    onFailure: (error) => void failures.push(error),
    openSession: async (options) => {
      sessions++;
      return { hold: () => {}, run: (signal) => run(options, signal) };
    },
  });
  const begin = () => consumer.run(abort.signal);
  return { consumer, begin, end: () => abort.abort(), sessions: () => sessions, held: () => held, failures };
}

test('a source that joins, reads and fails waits ever longer before its group meets anew', async () => {
  const { consumer, begin, end, sessions } = consumerOf(async ({ onJoined, onFetched, intake }) => {
    onJoined([]);
    onFetched();
    await intake([]);
    throw new Error('The other partition cannot be read.');
  });
  const beganAt = performance.now();
  const ran = begin();
  await expect.poll(sessions, { timeout: 20_000 }).toBe(5);
  // 0.25, 0.5, 1 and 2 seconds: not four times a quarter.
  expect(performance.now() - beganAt).toBeGreaterThan(3_700);
  expect(consumer.state()).toMatchObject({ kind: 'failing', error: 'The other partition cannot be read.' });
  end();
  await ran;
});

test('what was wrong is shown until a fetch is answered, not only until the group has met', async () => {
  const sessions: SessionOptions[] = [];
  const { consumer, begin, end } = consumerOf(async (options, signal) => {
    if (sessions.push(options) === 1) throw new Error('away');
    options.onJoined([]);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const ran = begin();
  await expect.poll(() => sessions.length).toBe(2);
  expect(consumer.state()).toMatchObject({ kind: 'failing', error: 'away' });
  sessions[1]!.onFetched();
  expect(consumer.state()).toMatchObject({ kind: 'running', error: null });
  end();
  await ran;
});

test("a source is waiting while a tenant's limits or the lack of Postgres keep it, and only the latter is told as a failure", async () => {
  const joined = Promise.withResolvers<SessionOptions>();
  const { consumer, begin, end, failures } = consumerOf(async (options, signal) => {
    options.onJoined([]);
    joined.resolve(options);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const ran = begin();
  const { onTrouble } = await joined.promise;
  onTrouble(new Refusal(429, 'rate_limited', 'The tenant may send no more now.'));
  expect(consumer.state()).toMatchObject({ kind: 'waiting', error: 'The tenant may send no more now.' });
  expect(failures).toEqual([]);
  const away = new Refusal(503, 'storage_unavailable', 'away');
  onTrouble(away);
  expect(consumer.state()).toMatchObject({ kind: 'waiting', error: 'away' });
  expect(failures).toEqual([away]);
  onTrouble(null);
  expect(consumer.state()).toMatchObject({ kind: 'running', error: null });
  end();
  await ran;
});

test('a partition that is held counts as that when its membership fails and another begins, and until the source is consumed no more', async () => {
  const begun = Promise.withResolvers<void>();
  const { consumer, begin, end, sessions, held } = consumerOf(async ({ caution, onJoined }, signal) => {
    onJoined([]);
    if (sessions() === 1) {
      caution.lose('t', { partition: 0, fetchOffset: 3n }, 'It ends before that.');
      throw new Error('away');
    }
    begun.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const ran = begin();
  await begun.promise;
  expect(consumer.state()).toMatchObject({ kind: 'failing', error: 'It ends before that.' });
  expect(held()).toBe(1);
  end();
  await ran;
  expect(held()).toBe(0);
});

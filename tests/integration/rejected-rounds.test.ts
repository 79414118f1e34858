import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginSource } from '../../src/sources/source-work.ts';
import { publishRejected } from '../../src/store/publish-rejected.ts';
import {
  claimRetries,
  discardRejected,
  forgetRetried,
  keepRejected,
  type RejectedMessage,
  requestRetry,
} from '../../src/store/rejected-messages.ts';
import { createSource, openSources } from '../../src/store/sources.ts';
import { ensureTenant } from '../support/ensure-tenant.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import * as kafka from '../support/kafka-source.ts';
import { openPool } from '../support/open-pool.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});

afterAll(() => service.stop());

async function newSource() {
  const description = { name: randomUUID(), type: 'kafka', origin: 'api', plain: {}, secrets: {} } as const;
  return (await createSource(service.context, description, 'operator'))!;
}

function message(): RejectedMessage {
  return {
    ...{ position: 'orders/0/1', identity: randomUUID(), group: 'orders/0', reason: 'invalid_event', detail: '' },
    ...{ faults: [], attributes: {}, headers: [], key: null, messageAt: null },
    ...{ body: Buffer.from('{}'), bodyBytes: 2, truncated: false },
  };
}

async function keep(
  sourceNum: number,
  messages: readonly RejectedMessage[],
  { isRetry = false, publish = false } = {},
) {
  const { apiPool, clock } = service.context;
  await keepRejected(apiPool, sourceNum, messages, { isRetry, publish, nowMs: clock.nowMs() });
}

async function left(sourceNum: number) {
  const { rows } = await service.context.apiPool.query(
    'SELECT id, publish, publish_after, publish_error FROM rejected_messages WHERE source_num = $1 ORDER BY id',
    [sourceNum],
  );
  return rows;
}

test('a message that was tried again in vain stays, though a retry is asked for once more before the round ends', async () => {
  const { apiPool, prisma } = service.context;
  const source = await newSource();
  const messages = [message(), message()];
  await keep(source.num, messages);
  await requestRetry(prisma, source, {}, 'operator');
  const claimed = await claimRetries(apiPool, source.num, 10);
  const inVain = claimed.find(({ identity }) => identity === messages[0]!.identity)!;
  await keep(source.num, [inVain], { isRetry: true });
  expect(await requestRetry(prisma, source, {}, 'operator')).toBe(1);
  await forgetRetried(apiPool, source.num, claimed);
  expect((await left(source.num)).map(({ id }) => id)).toEqual([inVain.id]);
  expect((await claimRetries(apiPool, source.num, 10)).map(({ id }) => id)).toEqual([inVain.id]);
});

const NONE = new Map<string, string>();

test('a message can be tried again and discarded while a broker takes its time over its dead letter', async () => {
  const { apiPool, prisma } = service.context;
  const source = await newSource();
  await keep(source.num, [message(), message(), message()], { publish: true });
  const [kept, ...others] = (await left(source.num)).map(({ id }) => id);
  await publishRejected(apiPool, source.num, 10, async () => {
    expect(await requestRetry(prisma, source, {}, 'operator')).toBe(3);
    expect(await discardRejected(prisma, source, { ids: others }, 'operator')).toBe(2);
    return NONE;
  });
  expect(await left(source.num)).toEqual([{ id: kept, publish: false, publish_after: null, publish_error: null }]);
});

test('dead letters are noted as published, or as not taken, however long the broker takes', async () => {
  const source = await newSource();
  await keep(source.num, [message(), message()], { publish: true });
  const [refused] = await left(source.num);
  const name = `test-${source.num}`;
  // Postgres ends a session that waits so long in a transaction.
  const impatient = { application_name: name, idle_in_transaction_session_timeout: 50, max: 2 };
  const pool = openPool(service.databaseUrl, impatient);
  const ask = () =>
    service.context.apiPool.query(
      `SELECT FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in transaction%'`,
      [name],
    );
  const round = publishRejected(pool, source.num, 10, async () => {
    await eventually(ask, ({ rowCount }) => rowCount === 0);
    return new Map([[refused.id, 'MESSAGE_TOO_LARGE']]);
  });
  expect(await round.finally(() => pool.end())).toMatchObject({ published: 1 });
  expect(await left(source.num)).toMatchObject([
    { id: refused.id, publish: true, publish_after: expect.any(Date), publish_error: 'MESSAGE_TOO_LARGE' },
    { publish: false, publish_after: null, publish_error: null },
  ]);
});

test('what one process publishes no other does meanwhile, however long that takes', async () => {
  const { apiPool } = service.context;
  const source = await newSource();
  await keep(source.num, [message()], { publish: true });
  const other = () => publishRejected(apiPool, source.num, 10, () => Promise.reject(new Error('published twice')));
  const untilRenewed = async () => {
    const [{ publish_after: first }] = await left(source.num);
    await eventually(
      () => left(source.num),
      ([row]) => row.publish_after > first,
    );
  };
  const publish = async () => {
    for (let renewals = 0; renewals < 2; renewals++) await untilRenewed();
    expect(await other()).toMatchObject({ published: 0 });
    return NONE;
  };
  const claimMs = 6_000;
  expect(await publishRejected(apiPool, source.num, 10, publish, claimMs)).toMatchObject({ published: 1 });
  expect(await left(source.num)).toMatchObject([{ publish: false }]);
});

test('dead letters that no broker took are to be published at once, unless another process has them by now', async () => {
  const { apiPool } = service.context;
  const source = await newSource();
  await keep(source.num, [message(), message()], { publish: true });
  const failing = (before: () => Promise<unknown>) =>
    publishRejected(apiPool, source.num, 10, async () => {
      await before();
      throw new Error('no broker');
    });
  await expect(failing(async () => {})).rejects.toThrow('no broker');
  const [taken, free] = await left(source.num);
  expect([taken, free]).toMatchObject([{ publish_after: null }, { publish_after: null }]);
  const take = () =>
    apiPool.query(`UPDATE rejected_messages SET publish_after = now() + interval '1 hour' WHERE id = $1`, [taken.id]);
  await expect(failing(take)).rejects.toThrow('no broker');
  const given: string[] = [];
  await publishRejected(apiPool, source.num, 10, async (messages) => {
    given.push(...messages.map(({ id }) => id));
    return NONE;
  });
  expect(given).toEqual([free.id]);
});

test('while no broker is there one dead letter finds out, and the others are not written to for that', async () => {
  const { apiPool, prisma, vault } = service.context;
  await ensureTenant(service.baseUrl, 'acme');
  const broker = `127.0.0.1:${await freePort()}`;
  const on_rejected = { dead_letter_topic: 'dead' };
  const id = await kafka.createSource(service.baseUrl, kafka.kafkaSource(broker, ['absent'], { on_rejected }));
  const source = (await openSources(prisma, vault, () => {})).find((each) => each.id === id)!;
  await keep(source.num, [message(), message(), message()], { publish: true });
  const written = async () => {
    const { rows } = await apiPool.query('SELECT xmin::text FROM rejected_messages WHERE source_num = $1 ORDER BY id', [
      source.num,
    ]);
    return rows.map(({ xmin }) => xmin);
  };
  const work = beginSource(source, 'process', service.context);
  await expect(work.runOnce()).rejects.toThrow();
  const [first, ...others] = await written();
  await expect(work.runOnce()).rejects.toThrow();
  const [later, ...still] = await written();
  expect(still).toEqual(others);
  expect(later).not.toBe(first);
  await work.close();
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  claimRetries,
  forgetRetried,
  keepRejected,
  type RejectedMessage,
  requestRetry,
} from '../../src/store/rejected-messages.ts';
import { createSource } from '../../src/store/sources.ts';
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

async function keep(sourceNum: number, messages: readonly RejectedMessage[], { isRetry = false } = {}) {
  const { apiPool, clock } = service.context;
  await keepRejected(apiPool, sourceNum, messages, { isRetry, publish: false, nowMs: clock.nowMs() });
}

async function left(sourceNum: number) {
  const { rows } = await service.context.apiPool.query(
    'SELECT id FROM rejected_messages WHERE source_num = $1 ORDER BY id',
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

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { QueueBackend } from './backend.ts';
import { WorkBell } from './work-bell.ts';

function play() {
  const adds: PromiseWithResolvers<void>[] = [];
  const errors: unknown[] = [];
  const queue = {
    add: () => {
      adds.push(Promise.withResolvers());
      return adds.at(-1)!.promise;
    },
    close: async () => {},
  };
  const backend = { producer: () => queue } as unknown as QueueBackend;
  return { adds, errors, bell: new WorkBell(backend, 'expansions', (error) => errors.push(error)) };
}

test('rings that come while one is on its way are one more, so that none pile up where nobody takes them', async () => {
  const { adds, bell } = play();
  for (let n = 0; n < 1_000; n++) bell.ring();
  await turn();
  expect(adds).toHaveLength(1);
  adds[0]!.resolve();
  await turn();
  expect(adds).toHaveLength(2);
  adds[1]!.resolve();
  await turn();
  expect(adds).toHaveLength(2);
});

test('a ring that fails is told of, and does not keep the next from being sent', async () => {
  const { adds, errors, bell } = play();
  bell.ring();
  adds[0]!.reject(new Error('Redis is away'));
  await turn();
  expect(errors).toMatchObject([{ message: 'Redis is away' }]);
  bell.ring();
  await turn();
  expect(adds).toHaveLength(2);
});

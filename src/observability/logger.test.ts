import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

const LINES = 5_000;
const SCRIPT = `
  import { createLogger } from '${import.meta.dirname}/logger.ts';
  const { log, flush } = createLogger('info');
  for (let n = 0; n < ${LINES}; n++) log.info({ event: 'line', n, text: 'x'.repeat(200) });
  await flush();
  process.exit(0);
`;

/** A process that writes lines and ends. */
function writer() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, ended: once(child, 'exit') };
}

test('every line of a process that ends arrives whole, also at a reader that takes its time', async () => {
  const { child, ended } = writer();
  child.stdout.pause();
  // Longer than anybody hurries, and less than is waited for.
  await sleep(2_000);
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: LINES }, (_, n) => n));
  expect(await ended).toEqual([0, null]);
});

test('a process whose output nobody reads ends all the same', async () => {
  const { child, ended } = writer();
  child.stdout.destroy();
  expect(await ended).toEqual([0, null]);
});

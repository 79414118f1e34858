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

/** As much again as may wait. */
const MANY = 220_000;
const FLOOD = `
  import { createLogger } from '${import.meta.dirname}/logger.ts';
  const { log, flush, watchDrops } = createLogger('info');
  let lines = 0;
  watchDrops({
    onDropped: (more) => { lines += more; },
    onCaughtUp: () => log.warn({ event: 'log.dropped', lines }),
  });
  for (let n = 0; n < ${MANY}; n++) {
    log.info({ event: 'line', n, text: 'x'.repeat(200) });
    if (n % 1_000 === 0) await new Promise(setImmediate);
  }
  process.stderr.write('all is written');
  await flush();
  process.exit(0);
`;

/** A process that writes lines and ends. */
function writer(script = SCRIPT, stderr: 'inherit' | 'pipe' = 'inherit') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', stderr] });
  return { child, ended: once(child, 'exit') };
}

test('every line of a process that ends arrives whole, also at a reader that takes its time', async () => {
  const { child, ended } = writer();
  child.stdout!.pause();
  // Longer than anybody hurries, and less than is waited for.
  await sleep(2_000);
  const lines = (await text(child.stdout!)).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: LINES }, (_, n) => n));
  expect(await ended).toEqual([0, null]);
});

test('a process whose output nobody reads ends all the same', async () => {
  const { child, ended } = writer();
  child.stdout!.destroy();
  expect(await ended).toEqual([0, null]);
});

test('of lines that nobody reads 32 MiB wait; what comes then is dropped, counted, and told when the reader is back', async () => {
  const { child, ended } = writer(FLOOD, 'pipe');
  await once(child.stderr!, 'data');
  const output = await text(child.stdout!);
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kept = lines.filter(({ event }) => event === 'line').map(({ n }) => n);
  expect(output.length).toBeGreaterThan(31 * 1024 * 1024);
  expect(output.length).toBeLessThan(33 * 1024 * 1024);
  expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
  expect(kept.slice(0, 100_000)).toEqual(Array.from({ length: 100_000 }, (_, n) => n));
  expect(lines.at(-1)).toMatchObject({ event: 'log.dropped', lines: MANY - kept.length });
  expect(await ended).toEqual([0, null]);
});

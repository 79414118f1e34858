import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

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

/** Its disk is full at first: what it writes beyond what may wait is dropped. Then there is room. */
const FULL = `
  import fs from 'node:fs';
  const write = fs.write;
  let failures = 0;
  fs.write = (...args) => {
    if (failures === Infinity) return write(...args);
    failures++;
    setImmediate(args.at(-1), Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
  };
  const { createLogger } = await import('${import.meta.dirname}/logger.ts');
  const { log, flush, watchDrops } = createLogger('info');
  let lines = 0;
  const caughtUp = new Promise((resolve) => watchDrops({
    onDropped: (more) => { lines += more; },
    onCaughtUp: () => resolve(log.warn({ event: 'log.dropped', lines })),
  }));
  for (let n = 0; n < ${MANY}; n++) {
    log.info({ event: 'line', n, text: 'x'.repeat(200) });
    if (n % 1_000 === 0) await new Promise(setImmediate);
  }
  if (failures < 2) throw new Error('it was not tried again');
  failures = Infinity;
  const alive = setInterval(() => {}, 1_000);
  await caughtUp;
  await flush();
  clearInterval(alive);
  process.exit(0);
`;

/** Its disk has room for a little every other time. */
const ALMOST_FULL = `
  import fs from 'node:fs';
  const write = fs.write;
  let calls = 0;
  fs.write = (fd, data, ...args) => {
    if (calls++ % 2 === 0) return write(fd, Buffer.from(data).subarray(0, 100), args.at(-1));
    setImmediate(args.at(-1), Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
  };
  const { createLogger } = await import('${import.meta.dirname}/logger.ts');
  const { log } = createLogger('info');
  while (calls < 30) {
    log.info({ event: 'line', text: 'x'.repeat(10_000) });
    await new Promise(setImmediate);
  }
  process.exit(0);
`;

/** Nothing waits between two failures. */
const ON_AND_OFF = ALMOST_FULL.replace('.subarray(0, 100)', '').replace("'x'.repeat(10_000)", "'x'.repeat(8_300)");

/** It ends in the midst of what it writes. */
const BUG = `
  import { createLogger } from '${import.meta.dirname}/logger.ts';
  const { log } = createLogger('info');
  for (let n = 0; n < ${LINES}; n++) log.info({ event: 'line', n, text: 'x'.repeat(200) });
  throw new Error('a bug');
`;

/** A process that writes lines and ends. */
function writer(script = SCRIPT, stderr: 'inherit' | 'pipe' = 'inherit', stdout: 'pipe' | number = 'pipe') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', stdout, stderr] });
  onTestFinished(() => void child.kill('SIGKILL'));
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

test('while a log cannot be written its lines wait, up to 32 MiB; it is tried again, and what was dropped is told when it can be written', async () => {
  const { child, ended } = writer(FULL, 'pipe');
  const [said, output] = await Promise.all([text(child.stderr!), text(child.stdout!)]);
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kept = lines.filter(({ event }) => event === 'line').map(({ n }) => n);
  expect(kept.slice(0, 100_000)).toEqual(Array.from({ length: 100_000 }, (_, n) => n));
  expect(lines.at(-1)).toMatchObject({ event: 'log.dropped', lines: MANY - kept.length });
  expect(said.match(/ENOSPC/g)).toHaveLength(1);
  expect(await ended).toEqual([0, null]);
});

test.each([
  ['takes a part of what waits every other time', ALMOST_FULL],
  ['takes all that waits every other time', ON_AND_OFF],
])('a log that %s is said to fail once, not at each failure', async (_, script) => {
  const { child, ended } = writer(script, 'pipe');
  child.stdout!.resume();
  expect((await text(child.stderr!)).match(/ENOSPC/g)).toHaveLength(1);
  expect(await ended).toEqual([0, null]);
});

test('a process that a bug ends writes what it has gathered first', async () => {
  const { child, ended } = writer(BUG, 'pipe');
  child.stderr!.resume();
  const lines = (await text(child.stdout!)).trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1)!).n).toBe(LINES - 1);
  expect(await ended).toEqual([1, null]);
});

const full = process.platform === 'linux' ? openSync('/dev/full', 'w') : 0;

test.runIf(process.platform === 'linux').each([
  ['in order', SCRIPT, 0],
  ['by a bug', BUG, 1],
])('a process whose log has no space left ends all the same: %s', async (_, script, code) => {
  const { child, ended } = writer(script, 'pipe', full);
  child.stderr!.resume();
  expect(await ended).toEqual([code, null]);
});

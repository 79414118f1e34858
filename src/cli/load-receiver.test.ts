import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { LoadReceiver } from './load-receiver.ts';

afterEach(() => {
  vi.useRealTimers();
});

const PREAMBLE = `
const tell = (delivered) => process.send({ port: 1, requests: 0, delivered, unverified: 0 });
process.on('disconnect', () => process.exit(0));
`;

/** A receiver's process that runs this. */
function start(script: string, quietMs?: number): LoadReceiver {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-receiver-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'receiver.mjs');
  writeFileSync(path, PREAMBLE + script);
  const receiver = new LoadReceiver(pathToFileURL(path), quietMs);
  onTestFinished(() => receiver.stop());
  return receiver;
}

test('a receiver that dies is an error, and nobody waits for it', async () => {
  const receiver = start(`tell(0); process.on('message', () => process.exit(7));`);
  expect(await receiver.ready).toBe(1);
  const reached = receiver.reaches(10);
  receiver.trust({});
  await expect(reached).rejects.toThrow('exit code 7');
});

test('one that never starts is an error, too', async () => {
  await expect(start('process.exit(3);').ready).rejects.toThrow('exit code 3');
});

test('what comes slowly is waited for as long as it comes, and what does not come is given up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const receiver = start(`let n = 0; tell(0); setInterval(() => tell(n), 5); process.on('message', () => n++);`, 1_000);
  await receiver.ready;
  let isOver = false;
  const reached = receiver.reaches(3).then(() => {
    isOver = true;
  });
  for (const delivered of [1, 2]) {
    vi.advanceTimersByTime(900);
    receiver.trust({});
    while (receiver.report.delivered < delivered) await new Promise((resolve) => setImmediate(resolve));
  }
  vi.advanceTimersByTime(900);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  vi.advanceTimersByTime(100);
  await reached;
  expect(receiver.report.delivered).toBe(2);
});

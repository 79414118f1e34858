import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { processGone, stopServer } from './stop-server.ts';

let child: ChildProcess;

afterEach(() => {
  child.kill('SIGKILL');
});

/** A process that ignores the signals named, and says when it does. */
async function start(...ignored: string[]): Promise<number> {
  const traps = ignored.map((signal) => `process.on('${signal}', () => {});`).join('');
  child = spawn(process.execPath, ['-e', `${traps} setInterval(() => {}, 1000); process.stdout.write('up')`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout) await once(child.stdout, 'data');
  return child.pid ?? 0;
}

const quick = [
  ['SIGINT', 300],
  ['SIGQUIT', 300],
  ['SIGKILL', 5_000],
] as const;

test('a server that ends when asked is asked once, by the mildest signal', async () => {
  const pid = await start();
  expect(await stopServer(pid, once(child, 'exit'))).toBe('SIGINT');
});

test('a server that does not end in its time is ended by the next stronger signal', async () => {
  expect(await stopServer(await start('SIGINT'), once(child, 'exit'), quick)).toBe('SIGQUIT');
  expect(await stopServer(await start('SIGINT', 'SIGQUIT'), once(child, 'exit'), quick)).toBe('SIGKILL');
});

test.skipIf(process.platform === 'win32')(
  'a process counts as ended even while its parent leaves it a zombie',
  async () => {
    // The parent becomes a program that never asks what became of its child, and says when it has: the shell that it was might ask.
    const program = `process.stdout.write('up'); setInterval(() => {}, 1000)`;
    child = spawn('/bin/sh', ['-c', `sleep 60 & echo $!; exec "$0" -e "$1"`, process.execPath, program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    for await (const chunk of child.stdout!) {
      said += chunk;
      if (said.endsWith('up')) break;
    }
    const pid = Number.parseInt(said, 10);
    const gone = processGone(pid);
    process.kill(pid, 'SIGKILL');
    await gone;
    expect(() => process.kill(pid, 0)).not.toThrow();
  },
);

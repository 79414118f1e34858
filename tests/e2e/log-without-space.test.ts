import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { environment } from '../support/stage.ts';
import { startArguments } from '../support/start-arguments.ts';
import { createTestDatabase } from '../support/test-database.ts';

test.runIf(process.platform === 'linux')(
  'a service whose log has no space left on its disk goes on serving, and ends when it is told to',
  async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const port = await freePort();
    const full = openSync('/dev/full', 'w');
    const service = spawn(process.execPath, startArguments(), {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment(database.url), PORT: String(port) },
      stdio: ['ignore', full, 'pipe'],
    });
    const told = (async () => {
      let said = '';
      for await (const chunk of service.stderr!) {
        said += chunk;
        if (/cannot be written.*ENOSPC/s.test(said)) break;
      }
      return said;
    })();
    onTestFinished(() => void service.kill('SIGKILL'));
    closeSync(full);
    const ended = once(service, 'exit');
    const ask = () =>
      fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ status }) => status,
        () => 0,
      );
    await eventually(ask, (status) => status === 200);
    expect(await told).toMatch(/cannot be written.*ENOSPC/s);
    expect(await ask()).toBe(200);
    service.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  },
);

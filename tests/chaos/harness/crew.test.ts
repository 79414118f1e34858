import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type SpawnedProcess, startServiceProcess } from '../../support/service-process.ts';
import { Crew } from './crew.ts';
import { environmentOf } from './environment.ts';
import type { Servers } from './servers.ts';

/** What a process is started with that waits for its database for ever. */
async function envOfSilence(): Promise<Record<string, string>> {
  const silent = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const servers: Partial<Servers> = { databaseUrl: `postgres://nobody@127.0.0.1:${port}/none`, redisUrl: '' };
  return environmentOf({ egressProxy: null, ...servers } as Servers);
}

function lives({ pid }: SpawnedProcess): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a process that does not serve in time is ended before anybody hears of it, so that no other runs beside it', async () => {
  const spawned: SpawnedProcess[] = [];
  const starting = startServiceProcess(
    { ...(await envOfSilence()), ROLES: 'worker' },
    { withinMs: 1, onSpawn: (each) => spawned.push(each) },
  );
  onTestFinished(() => void spawned[0]?.signal('SIGKILL'));
  await expect(starting).rejects.toThrow('The service never said');
  expect(spawned.map(lives)).toEqual([false]);
});

test('a crew that is closed while it starts leaves no process, and starts none in place of those', async () => {
  const crew = new Crew('worker', await envOfSilence());
  const starting = crew.start(2).catch((error: Error) => error.message);
  const pids = crew.pids;
  expect(pids).toHaveLength(2);
  await crew.close();
  expect(await starting).toMatch('ended at its start (SIGKILL)');
  expect(crew.pids).toEqual([]);
});

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { readPostmasterFile, whosePostmaster } from './postmaster-file.ts';
import { processIdentity } from './process-identity.ts';
import { processGone, stopServer } from './stop-server.ts';

/**
 * Ends the server that a former owner left running when it was killed, so that ours starts from a known state: our settings, our
 * log, our child. Call it with the owner's lock held. A pid file whose number belongs to some other program by now (numbers
 * repeat from one container to the next) is removed, because Postgres would take that program for a server; any other pid file
 * stays, also where we may not see whose process that is, for Postgres then also looks whether processes of the former server still use its memory.
 * @throws EmbeddedPostgresError when the server cannot be ended.
 */
export async function stopLeftoverServer(
  cluster: string,
  log: (line: string) => void,
  whose = whosePostmaster,
): Promise<void> {
  const left = await readPostmasterFile(cluster);
  if (left === null || (await processIdentity(left.pid)) === null) return;
  const found = await whose(left.pid, cluster);
  // A live server whose pid file is gone ends itself, and a second one may start beside it.
  if (found === 'unknown') return;
  if (found === 'other') {
    await rm(join(cluster, 'postmaster.pid'), { force: true });
    return;
  }
  log(`Stopping the Postgres (pid ${left.pid}) that a former run left behind.`);
  if ((await stopServer(left.pid, processGone(left.pid))) === null) {
    throw new EmbeddedPostgresError(
      'failed',
      `A former Postgres (pid ${left.pid}) of ${cluster} does not end. End it, then start again.`,
    );
  }
}

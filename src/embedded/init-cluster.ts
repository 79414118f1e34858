import { randomBytes } from 'node:crypto';
import { appendFile, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterPlace } from './cluster-place.ts';
import { EmbeddedPostgresError, explainFailure } from './embedded-error.ts';
import { runProgram } from './run-program.ts';
import type { ServerBinaries } from './server-binaries.ts';
import { roomAt, settingsFile } from './server-settings.ts';

export const DATABASE_USER = 'posthorn';

/**
 * Makes the cluster unless it exists, and brings its settings up to date. It is made under another name and renamed when it is
 * complete, so that one that was interrupted is never mistaken for a cluster; the remains of such are removed.
 * Call it with the owner's lock held.
 * @returns the password of DATABASE_USER.
 * @throws EmbeddedPostgresError
 */
export async function initCluster(
  place: ClusterPlace,
  binaries: ServerBinaries,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  await removeUnfinished(place.base);
  const version = await readFile(join(place.cluster, 'PG_VERSION'), 'utf8').catch(nullIfMissing);
  if (version === null) await makeCluster(place, binaries, log, signal);
  else if (version.trim() !== binaries.major) throw wrongVersion(place, version.trim(), binaries.major);
  const settings = join(place.cluster, 'posthorn.conf');
  await writeFile(settings, settingsFile(await roomAt(place.cluster)));
  await giveTo(place, settings);
  return readPassword(place);
}

async function makeCluster(
  place: ClusterPlace,
  binaries: ServerBinaries,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  log(`Making an empty database in ${place.cluster}.`);
  const unfinished = `${place.cluster}.unfinished-${randomBytes(4).toString('hex')}`;
  const passwordFile = `${unfinished}-password`;
  const password = await makePassword(place);
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await giveTo(place, unfinished);
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    await giveTo(place, passwordFile);
    const options = ['--encoding=UTF8', '--locale=C', '--data-checksums', '--auth=scram-sha-256', '--no-instructions'];
    const args = [...options, `--username=${DATABASE_USER}`, `--pwfile=${passwordFile}`, `--pgdata=${unfinished}`];
    const { code, output } = await runProgram(binaries.initdb, args, { account: place.account, signal });
    if (code !== 0) throw explainFailure('make the embedded database', place.base, output);
    const include = `\ninclude = 'posthorn.conf'\n# Your own settings go below and win over those above.\n`;
    await appendFile(join(unfinished, 'postgresql.conf'), include, { flush: true });
    await rename(unfinished, place.cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function removeUnfinished(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    // An initdb that outlived its parent may still write there; what it leaves goes at the next start.
    if (name.startsWith('postgres.unfinished-'))
      await rm(join(base, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Kept before the cluster is made, so that there is never a cluster whose password nobody has. One that is there already stays:
 * it may open a cluster that was moved away.
 */
async function makePassword(place: ClusterPlace): Promise<string> {
  const former = (await readFile(passwordPath(place), 'utf8').catch(nullIfMissing))?.trim();
  if (former) return former;
  const password = randomBytes(24).toString('base64url');
  await writeFile(passwordPath(place), `${password}\n`, { mode: 0o600, flush: true });
  return password;
}

async function readPassword(place: ClusterPlace): Promise<string> {
  const password = (await readFile(passwordPath(place), 'utf8').catch(nullIfMissing))?.trim();
  if (password) return password;
  throw new EmbeddedPostgresError(
    'failed',
    `The database in ${place.cluster} has no password file: bring ${passwordPath(place)} back, or write a password to it and set the same one for the database user ${DATABASE_USER} with \`postgres --single\`.`,
  );
}

function passwordPath(place: ClusterPlace): string {
  return join(place.dataDir, 'postgres-password');
}

async function giveTo({ account }: ClusterPlace, path: string): Promise<void> {
  if (account) await chown(path, account.uid, account.gid);
}

function wrongVersion(place: ClusterPlace, has: string, runs: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'wrong-version',
    `The database in ${place.cluster} was made by Postgres ${has}, and this is Postgres ${runs}. Start the former version of Posthorn, dump the database with pg_dump, move the folder away and restore into a new one.`,
  );
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

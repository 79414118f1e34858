import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterPlace } from './cluster-place.ts';
import { EmbeddedPostgresError, explainFailure } from './embedded-error.ts';
import { runProgram } from './run-program.ts';
import type { ServerBinaries } from './server-binaries.ts';
import { roomAt, settingsFile } from './server-settings.ts';
import { writeAs } from './write-as.ts';

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
  await writeAs(place.account, join(place.cluster, 'posthorn.conf'), settingsFile(await roomAt(place.cluster)));
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
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    if (place.account) await giveTo(place, await open(unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const file = await open(passwordFile, 'wx', 0o600);
    await file.writeFile(`${password}\n`);
    await giveTo(place, file);
    const options = ['--encoding=UTF8', '--locale=C', '--data-checksums', '--auth=scram-sha-256', '--no-instructions'];
    const args = [...options, `--username=${DATABASE_USER}`, `--pwfile=${passwordFile}`, `--pgdata=${unfinished}`];
    const { code, output } = await runProgram(binaries.initdb, args, { account: place.account, signal });
    if (code !== 0) throw explainFailure('make the embedded database', place.base, output);
    await includeSettings(join(unfinished, 'postgresql.conf'));
    await rename(unfinished, place.cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** The file is in the account's folder by now: that it is what it says has to be seen. */
async function includeSettings(path: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  try {
    const { nlink } = await file.stat();
    if (nlink !== 1) throw new Error(`${path} is a link`);
    await file.appendFile(`\ninclude = 'posthorn.conf'\n# Your own settings go below and win over those above.\n`);
    await file.sync();
  } finally {
    await file.close();
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
  // There may be an empty one, or a link to nothing.
  await rm(passwordPath(place), { force: true });
  await writeFile(passwordPath(place), `${password}\n`, { mode: 0o600, flag: 'wx', flush: true });
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

/** By what was opened, not by a name, which may stand for something else by now. Closes it. */
async function giveTo({ account }: ClusterPlace, file: FileHandle): Promise<void> {
  try {
    if (account) await file.chown(account.uid, account.gid);
  } finally {
    await file.close();
  }
}

function wrongVersion(place: ClusterPlace, has: string, runs: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'wrong-version',
    `The database in ${place.cluster} was made by Postgres ${has}, and this is Postgres ${runs}. Start the former version of Posthorn, dump its database with the pg_dump of Postgres ${has} or later (packages \`postgresql-client\`; what npm installs has none), move the folder away, and restore the dump into a new one with psql. The address of a running one is \`127.0.0.1\` with the port on the fourth line of ${join(place.cluster, 'postmaster.pid')}, its user ${DATABASE_USER}, its password in ${passwordPath(place)}.`,
  );
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

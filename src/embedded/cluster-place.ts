import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { makeFolder } from './make-folder.ts';
import { exists, nullIfMissing } from './missing-files.ts';
import type { Account } from './run-program.ts';
import { canReach, serverAccount } from './server-account.ts';
import { writeOnce } from './write-once.ts';

/** Where the files of one embedded Postgres are, and who it runs as. Paths are absolute and free of links. */
export interface ClusterPlace {
  readonly account: Account;
  /** The operator's folder: password, log. */
  readonly dataDir: string;
  /** The folder of the cluster, its lock and, if they are needed, copies of the binaries: `dataDir` itself wherever possible. */
  readonly base: string;
  /** Postgres's own data folder. May not exist yet. */
  readonly cluster: string;
}

/** Names the folder of a cluster that is not in DATA_DIR. */
const POINTER = 'postgres-location';

/** In such a folder: names the DATA_DIR whose cluster it is. */
const BACK_POINTER = 'data-dir';

/**
 * Chooses the place of the cluster: `<DATA_DIR>/postgres`. Only as root with a DATA_DIR that the Postgres account cannot reach, as under a
 * container's /root, it is `/var/lib/posthorn/<name>-<hash of DATA_DIR>-<random>/postgres`, which outlives restarts like the rest of
 * /var/lib. The file `<DATA_DIR>/postgres-location` then names that folder and decides from then on, provided that the folder's file
 * `data-dir` names the same DATA_DIR (`refuseCopy`).
 * @throws EmbeddedPostgresError
 */
export async function chooseClusterPlace(dataDir: string, log: (line: string) => void): Promise<ClusterPlace> {
  await makeFolder(resolve(dataDir), 0o700);
  const dir = await realpath(dataDir);
  const pointer = join(dir, POINTER);
  const elsewhere = (await readFile(pointer, 'utf8').catch(nullIfMissing))?.trim();
  if (elsewhere) return { ...placeAt(dir, elsewhere), account: await accountElsewhere(dir, elsewhere) };
  const account = await serverAccount([join(dir, 'postgres'), dir]);
  if (account === null) return { ...placeAt(dir, dir), account };
  await admit(account, dir);
  if ((await canReach(account, dir)) || (await exists(join(dir, 'postgres')))) return { ...placeAt(dir, dir), account };
  const base = await makeOutsideBase(dir, log);
  await writeOnce(join(base, BACK_POINTER), `${dir}\n`, 0o644);
  if (await writeOnce(pointer, `${base}\n`, 0o644)) {
    log(`${dir} is out of reach of the account that Postgres runs as, so its data is kept in ${base}.`);
    return { ...placeAt(dir, base), account };
  }
  // Another process chose at the same moment: its choice counts.
  await rm(base, { recursive: true });
  return chooseClusterPlace(dataDir, log);
}

/** Whether an embedded Postgres was ever started with this DATA_DIR. */
export async function hasCluster(dataDir: string): Promise<boolean> {
  return (await exists(join(dataDir, 'postgres', 'PG_VERSION'))) || (await exists(join(dataDir, POINTER)));
}

function placeAt(dataDir: string, base: string) {
  return { dataDir, base, cluster: join(base, 'postgres') };
}

async function accountElsewhere(dataDir: string, base: string): Promise<Account> {
  if (process.getuid?.() !== 0) {
    throw new EmbeddedPostgresError(
      'no-permission',
      `The database of ${dataDir} was made by root and is kept in ${base}. Start as root again, or set DATA_DIR to another folder.`,
    );
  }
  if (!(await exists(base))) {
    throw new EmbeddedPostgresError(
      'failed',
      `The database of ${dataDir} is kept in ${base}, which is gone. Bring that folder back, or delete ${join(dataDir, POINTER)} to begin with an empty database.`,
    );
  }
  await refuseCopy(dataDir, base);
  return serverAccount([join(base, 'postgres')]);
}

/**
 * A copy of a DATA_DIR names the folder of the original: started, it would write to the original's database and make its deliveries. A folder of before it
 * named its DATA_DIR has at least the hash of it in its own name.
 * @throws EmbeddedPostgresError
 */
async function refuseCopy(dataDir: string, base: string): Promise<void> {
  const backPointer = join(base, BACK_POINTER);
  const owner = (await readFile(backPointer, 'utf8').catch(nullIfMissing))?.trim();
  if (owner === dataDir) return;
  if (!owner && (hashInName(base) ?? hashOf(dataDir)) === hashOf(dataDir)) {
    await writeOnce(backPointer, `${dataDir}\n`, 0o644);
    return;
  }
  throw new EmbeddedPostgresError(
    'failed',
    `The database in ${base}, which ${join(dataDir, POINTER)} names, is that of ${owner || 'another data folder'}: ${dataDir} seems to be a copy of it, or it was moved here. Two that run on one database would both write to it and make its deliveries.
  - To run on that database from here, where nothing else does any more: write ${dataDir} into ${backPointer}.
  - To run on a copy of it: stop the other, copy ${base}, write the copy's path into ${join(dataDir, POINTER)}, and ${dataDir} into the file ${BACK_POINTER} of the copy.
  - To begin with an empty database: delete ${join(dataDir, POINTER)}.`,
  );
}

/** Null where somebody else gave the folder its name. */
function hashInName(base: string): string | null {
  return /-([0-9a-f]{8})-[0-9a-f]{6}$/.exec(basename(base))?.[1] ?? null;
}

function hashOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
}

/** Lets the account through our folder, and no further: reading it stays ours. */
async function admit(account: NonNullable<Account>, dir: string): Promise<void> {
  const { uid, mode } = await stat(dir);
  if (uid !== 0 || (await canReach(account, dir))) return;
  await chown(dir, uid, account.gid);
  await chmod(dir, (mode & 0o7777) | 0o010);
}

async function makeOutsideBase(dataDir: string, log: (line: string) => void): Promise<string> {
  const root = process.platform === 'darwin' ? '/usr/local/var/posthorn' : '/var/lib/posthorn';
  const key = `${basename(dirname(dataDir)).replace(/[^\w-]/g, '')}-${hashOf(dataDir)}`;
  await mkdir(root, { recursive: true });
  for (const former of (await readdir(root)).filter((name) => name.startsWith(`${key}-`))) {
    log(`An earlier database of ${dataDir} is still in ${join(root, former)}; nothing uses it now.`);
  }
  const base = join(root, `${key}-${randomBytes(3).toString('hex')}`);
  await mkdir(base);
  // Whatever the umask is, the Postgres account has to get through.
  await chmod(root, 0o755);
  await chmod(base, 0o711);
  return realpath(base);
}

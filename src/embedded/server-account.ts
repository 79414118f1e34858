import { stat } from 'node:fs/promises';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { type Account, runProgram } from './run-program.ts';

/**
 * The account that Postgres runs as. Ourselves, unless we are root, which Postgres refuses to run as: then the owner of the
 * first of `folders` that exists and is not root's, else the system's `postgres`, else `nobody`. We add no account to the system.
 * @throws EmbeddedPostgresError `no-account`
 */
export async function serverAccount(folders: readonly string[]): Promise<Account> {
  if (process.getuid?.() !== 0) return null;
  for (const folder of folders) {
    const owner = await stat(folder).catch(() => null);
    // initdb wants a user that has a name.
    if (owner && owner.uid !== 0 && (await runProgram('id', ['-un', String(owner.uid)])).code === 0)
      return { uid: owner.uid, gid: owner.gid };
  }
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all([runProgram('id', ['-u', name]), runProgram('id', ['-g', name])]);
    if (uid.code === 0 && gid.code === 0 && Number(uid.output) !== 0)
      return { uid: Number(uid.output), gid: Number(gid.output) };
  }
  throw new EmbeddedPostgresError(
    'no-account',
    'Postgres does not run as root, and this system has neither an account `postgres` nor `nobody` to run it as. Start as an ordinary user, add an account `postgres`, or set DATABASE_URL to a Postgres of yours.',
  );
}

/** Whether `account` can reach into the folder. Asked of the system itself, so that links, groups and access lists count. */
export async function canReach(account: Account, folder: string): Promise<boolean> {
  return (await runProgram('/bin/sh', ['-c', 'cd -- "$0"', folder], { account })).code === 0;
}

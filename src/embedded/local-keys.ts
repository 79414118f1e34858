import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EmbeddedPostgresError, explainFailure, noFolder } from './embedded-error.ts';
import { makeFolder } from './make-folder.ts';
import { exists } from './missing-files.ts';
import { writeOnce } from './write-once.ts';

export interface LocalKeys {
  readonly operatorKey: string;
  readonly masterKey: string;
}

interface Kind {
  readonly file: string;
  readonly make: () => string;
  /** What it looks like; what does not was not made here, or not written to its end. */
  readonly form: RegExp;
  /** What can be done where there is no backup of it. */
  readonly remedy: string;
}

const OPERATOR_KEY: Kind = {
  file: 'operator-key',
  make: () => `pho_${randomBytes(24).toString('base64url')}`,
  form: /^[\x21-\x7e]{24,256}$/,
  remedy: 'delete the file: the next start makes another key',
};

const MASTER_KEY: Kind = {
  file: 'master-key',
  make: () => randomBytes(32).toString('base64'),
  form: /^[A-Za-z0-9+/]{43}=$/,
  remedy: 'delete the file only if there are no endpoints yet: their secrets cannot be read without the key',
};

/**
 * The keys of an embedded installation: made once, kept in its data folder, readable by its owner alone.
 * @throws EmbeddedPostgresError where a file holds no key, or cannot be read or written
 */
export async function readLocalKeys(dataDir: string): Promise<LocalKeys> {
  try {
    await makeFolder(resolve(dataDir), 0o700);
    return { operatorKey: await readOrMake(dataDir, OPERATOR_KEY), masterKey: await readOrMake(dataDir, MASTER_KEY) };
  } catch (error) {
    const doing = 'read or make the keys of this installation';
    // The folder is there.
    const isUnfit = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isUnfit ? noFolder(doing, resolve(dataDir), error) : explainFailure(doing, resolve(dataDir), error);
  }
}

async function readOrMake(dataDir: string, { file, make, form, remedy }: Kind): Promise<string> {
  const path = join(dataDir, file);
  // A key that exists is never overwritten: what it encrypts would be lost.
  if (!(await exists(path))) await writeOnce(path, `${make()}\n`, 0o600);
  const key = (await readFile(path, 'utf8')).trim();
  if (form.test(key)) return key;
  throw new EmbeddedPostgresError(
    'bad-key',
    `${path} holds no key. Restore it from a backup of DATA_DIR, or ${remedy}.`,
  );
}

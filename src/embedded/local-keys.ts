import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface LocalKeys {
  readonly operatorKey: string;
  readonly masterKey: string;
}

/** The keys of an embedded installation: made once, kept in its data folder, readable by its owner alone. */
export async function readLocalKeys(dataDir: string): Promise<LocalKeys> {
  await mkdir(dataDir, { recursive: true });
  return {
    operatorKey: await readOrMake(join(dataDir, 'operator-key'), () => `pho_${randomBytes(24).toString('base64url')}`),
    masterKey: await readOrMake(join(dataDir, 'master-key'), () => randomBytes(32).toString('base64')),
  };
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  try {
    // Exclusive, so that a key that exists is never overwritten: what it encrypts would be lost.
    await writeFile(path, `${make()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}

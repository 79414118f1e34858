import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder, and those above it. These are not for us alone: the account that Postgres runs as has to get through them, whatever the
 * umask is. Node's own recursive `mkdir` never ends, and cannot be ended, where the system says of a new folder that it does not exist
 * although the one above does, as /proc does.
 * @param path absolute
 * @param mode of the folder itself, where it is made
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  if (await isFolder(path)) return;
  await makeAbove(dirname(path));
  await make(path, mode);
}

async function makeAbove(path: string): Promise<void> {
  if (await isFolder(path)) return;
  if (dirname(path) !== path) await makeAbove(dirname(path));
  if (await make(path, 0o755)) await chmod(path, ((await stat(path)).mode & 0o7777) | 0o111);
}

/** @returns whether it was us who made it */
async function make(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!(await isFolder(path))) throw error;
    return false;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

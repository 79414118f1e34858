import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface MigrationFile {
  readonly name: string;
  /** With line ends of Unix, also where git wrote others into a clone: checksums go by the bytes. */
  readonly script: string;
}

const FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** The migrations that this version of the code brings (Prisma's folder layout), in the order in which they apply. */
export async function listMigrations(folder = FOLDER): Promise<readonly MigrationFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(names.sort().map(async (name) => ({ name, script: await readScript(join(folder, name)) })));
}

async function readScript(folder: string): Promise<string> {
  return (await readFile(join(folder, 'migration.sql'), 'utf8')).replaceAll('\r\n', '\n');
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface MigrationFile {
  readonly name: string;
  readonly script: string;
}

/** The migrations that this version of the code brings (Prisma's folder layout), in the order in which they apply. */
export async function listMigrations(): Promise<readonly MigrationFile[]> {
  const folder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => ({ name, script: await readFile(join(folder, name, 'migration.sql'), 'utf8') })),
  );
}

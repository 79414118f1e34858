import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const modules = join(root, 'node_modules');
/** What npm scripts find first on their PATH. */
export const nodeBinary =
  process.platform === 'win32' ? join(modules, 'node', 'bin', 'node.exe') : join(modules, '.bin', 'node');

/** What the user is told in place of a stack: what is wrong, and what to do. */
export class SetupError extends Error {}

// Whoever read what we say may have left: no reason to end, and unheard it would be one.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

export function say(text) {
  console.log(`posthorn: ${text}`);
}

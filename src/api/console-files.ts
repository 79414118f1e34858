import { hash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../console/', import.meta.url));
const PATTERNS = ['index.html', 'console.css', 'icon.svg', '{page,logic}/*.ts'];
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  // Served under their own names, so that their imports of each other work in the browser as they are.
  '.ts': 'text/javascript; charset=utf-8',
};

export interface ConsoleFile {
  readonly type: string;
  readonly body: string;
  readonly etag: string;
}

/**
 * The files of the console, by path below `/console/`: these and no others. All are read when the first is asked for, so that they are of one
 * version even if the folder is updated under a running process.
 */
export function consoleFiles(): ReadonlyMap<string, () => ConsoleFile> {
  const names = globSync(PATTERNS, { cwd: FOLDER }).filter((name) => !name.endsWith('.test.ts'));
  const read = once(() => new Map(names.map((name) => [name, readConsoleFile(name)])));
  return new Map(names.sort().map((name) => [name === 'index.html' ? '' : name, () => read().get(name)!]));
}

function readConsoleFile(name: string): ConsoleFile {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const extension = extname(name);
  const body = extension === '.ts' ? stripTypes(text) : text;
  return { type: TYPES[extension]!, body, etag: `"${hash('sha256', body, 'base64url')}"` };
}

/** Does what Node does to our own modules anyway. Its warning that the function is experimental is kept out of the log. */
function stripTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modules } from './clone.mjs';
import { readJson } from './read-if-there.mjs';

/** Beside npm's own record of what it installed. */
const note = join(modules, '.posthorn-left-out');

/**
 * What our last npm ci of this lock file left out: to do it again would bring no more.
 * @param lock the text of the lock file
 * @returns paths of packages
 */
export function packagesLeftOut(lock) {
  const { lock: of, packages } = readJson(note) ?? {};
  return of === hashOf(lock) ? packages : [];
}

export function noteLeftOut(lock, packages) {
  writeFileSync(note, JSON.stringify({ lock: hashOf(lock), packages }));
}

/** Some npms clear node_modules of it, others do not. */
export function forgetLeftOut() {
  rmSync(note, { force: true });
}

function hashOf(lock) {
  return createHash('sha256').update(lock).digest('hex');
}

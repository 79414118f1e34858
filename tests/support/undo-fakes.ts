import { afterAll, vi } from 'vitest';

type Owner = Record<string, unknown>;
type Watched = readonly [owner: object, name: string];

const FAKED: readonly Watched[] = [
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'Date', 'fetch'].map(
    (name): Watched => [globalThis, name],
  ),
  // Virtual time and plays replace these by hand: what they leave behind freezes every later file, or makes it draw what they drew.
  [performance, 'now'],
  [Math, 'random'],
];
const current = ([owner, name]: Watched) => (owner as Owner)[name];
const world = globalThis as unknown as Record<symbol, readonly unknown[] | undefined>;
/** As they were before the first file of this thread: this file runs before each of them. */
const ORIGINALS = Symbol.for('posthorn.tests.originals');
world[ORIGINALS] ??= FAKED.map(current);
const originals = world[ORIGINALS];

// Files of one thread come one after the other in one world: what one faked, the next must not find.
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  const left: string[] = [];
  for (const [at, watched] of FAKED.entries()) {
    if (current(watched) === originals[at]) continue;
    const [owner, name] = watched;
    (owner as Owner)[name] = originals[at];
    left.push(name);
  }
  // A spy on a fake, for one, brings the fake back where it is restored last.
  if (left.length > 0) throw new Error(`This file leaves fakes behind: ${left.join(', ')}.`);
});

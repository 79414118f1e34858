import { afterAll, vi } from 'vitest';

const FAKED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'Date', 'fetch'] as const;
const world = globalThis as Record<string | symbol, unknown>;
/** As they were before the first file of this thread: this file runs before each of them. */
const ORIGINALS = Symbol.for('posthorn.tests.originals');
world[ORIGINALS] ??= Object.fromEntries(FAKED.map((name) => [name, globalThis[name]]));

// Files of one thread come one after the other in one world: what one faked, the next must not find.
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  const left = Object.entries(world[ORIGINALS] as object).filter(([name, original]) => world[name] !== original);
  Object.assign(world, Object.fromEntries(left));
  // A spy on a fake, for one, brings the fake back where it is restored last.
  if (left.length > 0) throw new Error(`This file leaves fakes behind: ${left.map(([name]) => name).join(', ')}.`);
});

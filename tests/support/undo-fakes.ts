import { afterAll, vi } from 'vitest';

const world = globalThis as Record<symbol, unknown>;
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, Date, fetch } = globalThis;
/** As they were before the first file of this thread. This file runs before each of them. */
const ORIGINALS = Symbol.for('posthorn.tests.originals');
world[ORIGINALS] ??= { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, Date, fetch };

// Files of one thread come one after the other in one world: what one faked, the next must not find.
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  const left = Object.entries(world[ORIGINALS] as object).filter(
    ([name, original]) => (globalThis as Record<string, unknown>)[name] !== original,
  );
  Object.assign(globalThis, Object.fromEntries(left));
  // A spy on what is faked, for one, brings the fake back when it is restored after it.
  if (left.length > 0) throw new Error(`This file leaves fakes behind: ${left.map(([name]) => name).join(', ')}.`);
});

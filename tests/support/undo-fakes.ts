import { afterAll, vi } from 'vitest';

// Files of one thread come one after the other in one world: what one faked, the next must not find.
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

import { onTestFinished } from 'vitest';
import type { Stage } from './stage.ts';
import { startTestService, type TestService } from './test-service.ts';

/** An API of the stage in this process until the test ends, for plays that are about its other processes. It rings where they listen. */
export async function apiForTest({ databaseUrl, env }: Stage): Promise<TestService> {
  const api = await startTestService({ databaseUrl, config: { REDIS_PREFIX: env.REDIS_PREFIX! } });
  onTestFinished(() => api.stop());
  return api;
}

import { call } from './api.ts';
import { eventually } from './eventually.ts';

/** Makes a tenant, or finds that it is there. A service that has just started, or is slow, may answer 503 for a moment. */
export async function ensureTenant(baseUrl: string, id: string): Promise<void> {
  await eventually(
    () => call(baseUrl, 'POST', '/v1/tenants', { id }),
    ({ status }) => status === 201 || status === 409,
  );
}

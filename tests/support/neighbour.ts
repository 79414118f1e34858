import { laneOf } from '../../src/routing/lane-of.ts';
import { call } from './api.ts';
import { type CreatedEndpoint, createEndpoint, type Stage } from './stage.ts';
import { TEST_LANES } from './test-server.ts';

async function laneOfEndpoint(stage: Stage, id: string): Promise<number> {
  const [row] = await stage.query('SELECT num FROM endpoints WHERE id = $1', [id]);
  return laneOf(row.num, TEST_LANES);
}

/** An endpoint of another tenant in the same lane, where the backlog would hurt it most. */
export async function neighbourOf(stage: Stage, api: string, id: string, url: string): Promise<CreatedEndpoint> {
  const lane = await laneOfEndpoint(stage, id);
  for (;;) {
    const endpoint = await createEndpoint(api, { url, enabled: false }, 'healthy');
    if ((await laneOfEndpoint(stage, endpoint.id)) !== lane) continue;
    await call(api, 'PATCH', `/v1/tenants/healthy/endpoints/${endpoint.id}`, { enabled: true });
    return endpoint;
  }
}

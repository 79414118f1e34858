import { newId } from '../../src/domain/ids.ts';
import type { TestTenant } from './log-fixture.ts';
import type { TestService } from './test-service.ts';

/** Endpoints of a tenant that subscribe to one type, made all at once. They have no secrets: nothing can be sent to them. @returns their numbers */
export async function makeManyEndpoints(
  { context }: TestService,
  tenant: TestTenant,
  type: string,
  count: number,
): Promise<readonly number[]> {
  const { rows } = await context.apiPool.query<{ num: number }>(
    `WITH changed AS (UPDATE tenants SET routing_version = routing_version + 1 WHERE num = $1)
     INSERT INTO endpoints (id, tenant_num, url, subscriptions)
     SELECT id, $1, 'http://127.0.0.1:9/', $3 FROM unnest($2::text[]) AS ids(id) RETURNING num`,
    [tenant.num, Array.from({ length: count }, () => newId('ep', Date.now())), JSON.stringify([{ types: [type] }])],
  );
  return rows.map(({ num }) => num);
}

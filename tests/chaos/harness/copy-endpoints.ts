import { newId } from '../../../src/domain/ids.ts';
import { sealedPlace, Vault } from '../../../src/store/vault.ts';
import { query } from '../../support/query.ts';
import { MASTER_KEY } from './environment.ts';

export interface EndpointCopy {
  readonly url: string;
  readonly subscriptions: unknown;
}

const SHARED =
  'tenant_num, signature, retry_schedule, timeout_seconds, max_in_flight, order_mode, on_dead_letter, version_pins, format, validation, metadata';

/**
 * Makes endpoints like one that the API made, with its secret, all in one statement: thousands of calls would take minutes of a run and leave
 * the process that answered them another than it was.
 * @returns their ids, in the order of the copies
 */
export async function copyEndpoints(
  databaseUrl: string,
  original: { readonly id: string; readonly secret: string },
  copies: readonly EndpointCopy[],
): Promise<string[]> {
  const vault = new Vault([MASTER_KEY]);
  const ids = copies.map(() => newId('ep', Date.now()));
  const secretIds = copies.map(() => newId('sec', Date.now()));
  const sealed = ids.map((id, i) => vault.seal(original.secret, sealedPlace.endpointSecret(id, secretIds[i]!)));
  const values = [
    original.id,
    ids,
    copies.map(({ url }) => url),
    copies.map(({ subscriptions }) => JSON.stringify(subscriptions)),
    secretIds,
    sealed,
  ];
  await query(
    databaseUrl,
    `WITH copies AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[]) AS c(id, url, subscriptions, secret_id, sealed)),
          made AS (
            INSERT INTO endpoints (id, url, subscriptions, ${SHARED})
            SELECT c.id, c.url, c.subscriptions::jsonb, ${SHARED} FROM copies c, (SELECT ${SHARED} FROM endpoints WHERE id = $1) e RETURNING num, id
          ),
          changed AS (UPDATE tenants SET routing_version = routing_version + 1 WHERE num = (SELECT tenant_num FROM endpoints WHERE id = $1))
     INSERT INTO endpoint_secrets (id, endpoint_num, sealed) SELECT c.secret_id, m.num, c.sealed FROM copies c JOIN made m USING (id)`,
    values,
  );
  return ids;
}

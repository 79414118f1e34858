import type pg from 'pg';
import { sealedPlace, UnsealError, type Vault } from './vault.ts';

/** The keys at hand belong to another installation; `message` says what to do. */
export class MasterKeyError extends Error {
  constructor() {
    super(
      'MASTER_KEY opens none of the newest secrets in this database. Start with the key that it was set up with; to change keys, give every process the list old,new, then new,old, and run `npm run reseal`.',
    );
    this.name = 'MasterKeyError';
  }
}

const SAMPLE = 20;

/**
 * Refuses keys that open nothing: a start with them would park every delivery and seal new secrets with a key that nobody else has. A
 * single value that does not open is not a wrong key, and only its endpoint suffers.
 * @throws MasterKeyError
 */
export async function checkMasterKey(pool: pg.Pool, vault: Vault): Promise<void> {
  const { rows } = await pool.query<{ id: string; endpoint_id: string; sealed: Buffer }>(
    `SELECT s.id, e.id AS endpoint_id, s.sealed FROM endpoint_secrets s JOIN endpoints e ON e.num = s.endpoint_num ORDER BY s.id DESC LIMIT $1`,
    [SAMPLE],
  );
  if (
    rows.length > 0 &&
    !rows.some((row) => opens(vault, row.sealed, sealedPlace.endpointSecret(row.endpoint_id, row.id)))
  ) {
    throw new MasterKeyError();
  }
}

function opens(vault: Vault, sealed: Buffer, place: string): boolean {
  try {
    vault.open(sealed, place);
    return true;
  } catch (error) {
    if (error instanceof UnsealError) return false;
    throw error;
  }
}

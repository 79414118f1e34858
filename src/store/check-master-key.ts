import type pg from 'pg';
import { sealedPlace, unlessUnreadable, type Vault } from './vault.ts';

/** The keys at hand belong to another installation; `message` says what to do. */
export class MasterKeyError extends Error {
  constructor() {
    super(
      'MASTER_KEY does not open what is sealed in this database. Start with the key that it was set up with; to change keys, give every process the list old,new, then new,old, and run `npm run reseal`.',
    );
    this.name = 'MasterKeyError';
  }
}

const SAMPLE = 20;
/**
 * Name of the setting that the first process of an installation seals. By it a second process with another key is found out even before
 * there are secrets.
 */
export const MASTER_KEY_CHECK = 'master_key_check';

/**
 * Refuses keys that open nothing: a start with them would park every delivery and seal new secrets with a key that nobody else has. A
 * single value that does not open is not a wrong key, and only its endpoint suffers.
 * @throws MasterKeyError
 */
export async function checkMasterKey(pool: pg.Pool, vault: Vault): Promise<void> {
  const secrets = [...(await endpointSecrets(pool)), ...(await sourceSecrets(pool))];
  const opensOne = secrets.some(({ sealed, place }) => opens(vault, sealed, place));
  // Before the check is sealed: one that was sealed with a wrong key would later speak against the right one.
  if (secrets.length > 0 && !opensOne) throw new MasterKeyError();
  if (opens(vault, await sealedCheck(pool, vault), sealedPlace.masterKeyCheck())) return;
  if (!opensOne) throw new MasterKeyError();
  // Secrets open, so the key is right: it was changed by a version that did not know the check.
  await pool.query('UPDATE settings SET value = $2 WHERE name = $1', [MASTER_KEY_CHECK, newCheck(vault)]);
}

interface SealedSecret {
  readonly sealed: Buffer;
  readonly place: string;
}

/** The newest signing secrets; every endpoint has one. */
async function endpointSecrets(pool: pg.Pool): Promise<readonly SealedSecret[]> {
  const { rows } = await pool.query<{ id: string; endpoint_id: string; sealed: Buffer }>(
    `SELECT s.id, e.id AS endpoint_id, s.sealed FROM endpoint_secrets s JOIN endpoints e ON e.num = s.endpoint_num ORDER BY s.id DESC LIMIT $1`,
    [SAMPLE],
  );
  return rows.map(({ id, endpoint_id, sealed }) => ({ sealed, place: sealedPlace.endpointSecret(endpoint_id, id) }));
}

async function sourceSecrets(pool: pg.Pool): Promise<readonly SealedSecret[]> {
  const { rows } = await pool.query<{ id: string; sealed: Buffer }>(
    `SELECT id, secrets_sealed AS sealed FROM sources WHERE secrets_sealed IS NOT NULL ORDER BY id DESC LIMIT $1`,
    [SAMPLE],
  );
  return rows.map(({ id, sealed }) => ({ sealed, place: sealedPlace.sourceSecrets(id) }));
}

/** The value that was sealed at the first start of the installation; it is sealed now if there is none. */
async function sealedCheck(pool: pg.Pool, vault: Vault): Promise<Buffer> {
  await pool.query('INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [
    MASTER_KEY_CHECK,
    newCheck(vault),
  ]);
  const { rows } = await pool.query<{ value: string }>('SELECT value FROM settings WHERE name = $1', [
    MASTER_KEY_CHECK,
  ]);
  return Buffer.from(rows[0]!.value, 'base64');
}

function newCheck(vault: Vault): string {
  return vault.seal('posthorn', sealedPlace.masterKeyCheck()).toString('base64');
}

function opens(vault: Vault, sealed: Buffer, place: string): boolean {
  return unlessUnreadable(() => vault.open(sealed, place)) !== null;
}

import type pg from 'pg';
import { MASTER_KEY_CHECK } from './check-master-key.ts';
import { sealedPlace, UnsealError, type Vault } from './vault.ts';

export interface ResealProgress {
  readonly step: 'checked' | 'resealed';
  readonly values: number;
}

export type ResealResult =
  /** `left`: values that a running service sealed with an older key meanwhile; run it again once every process has the new key first. */
  | {
      readonly kind: 'done';
      readonly values: number;
      readonly resealed: number;
      readonly left: number;
      /** Names the first values of deleted endpoints that cannot be opened: nobody needs them, and they are left as they are. */
      readonly skipped: readonly string[];
    }
  /** Some other values cannot be opened with the keys at hand, and nothing was changed. `problems` names the first of them. */
  | {
      readonly kind: 'refused';
      readonly values: number;
      readonly unopened: number;
      readonly problems: readonly string[];
    };

export interface ResealOptions {
  readonly batchSize?: number;
  readonly onProgress?: (progress: ResealProgress) => void;
}

/**
 * Encrypts every sealed value again with the first key of the vault, so that the older keys can be given up. All are opened once
 * before the first is changed. May be interrupted and started again: what is sealed with the first key already is passed over.
 */
export async function reseal(pool: pg.Pool, vault: Vault, options: ResealOptions = {}): Promise<ResealResult> {
  const { batchSize = 500, onProgress = () => {} } = options;
  const { values, problems, skipped } = await checkAll(pool, vault, batchSize, onProgress);
  if (problems.length > 0) {
    return { kind: 'refused', values, unopened: problems.length, problems: problems.slice(0, NAMED_PROBLEMS) };
  }
  let resealed = 0;
  for await (const { source, rows } of batches(pool, batchSize)) {
    resealed += await resealBatch(pool, vault, source, rows);
    onProgress({ step: 'resealed', values: resealed });
  }
  return {
    kind: 'done',
    values,
    resealed,
    left: await countOutdated(pool, vault, batchSize),
    skipped: skipped.slice(0, NAMED_PROBLEMS),
  };
}

const NAMED_PROBLEMS = 100;

interface Source {
  readonly select: string;
  readonly update: string;
  readonly placeOf: (row: SealedRow) => string;
}

interface SealedRow {
  readonly id: string;
  readonly owner_id: string;
  readonly sealed: Buffer;
  /** Whether its endpoint is deleted; absent where there is none. */
  readonly is_deleted?: boolean;
}

/** Of sealed columns of endpoints. */
function inEndpoints(column: string, placeOf: (endpointId: string) => string): Source {
  return {
    select: `SELECT id, id AS owner_id, ${column} AS sealed, deleted_at IS NOT NULL AS is_deleted FROM endpoints
              WHERE ${column} IS NOT NULL AND id > $1 ORDER BY id LIMIT $2`,
    update: `UPDATE endpoints e SET ${column} = new.sealed FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS new(id, was, sealed)
              WHERE e.id = new.id AND e.${column} = new.was`,
    placeOf: (row) => placeOf(row.owner_id),
  };
}

const sources: readonly Source[] = [
  {
    select: `SELECT name AS id, name AS owner_id, decode(value, 'base64') AS sealed FROM settings
              WHERE name = '${MASTER_KEY_CHECK}' AND name > $1 LIMIT $2`,
    update: `UPDATE settings s SET value = encode(new.sealed, 'base64') FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS new(id, was, sealed)
              WHERE s.name = new.id AND decode(s.value, 'base64') = new.was`,
    placeOf: sealedPlace.masterKeyCheck,
  },
  {
    select: `SELECT s.id, e.id AS owner_id, s.sealed, e.deleted_at IS NOT NULL AS is_deleted FROM endpoint_secrets s JOIN endpoints e ON e.num = s.endpoint_num
              WHERE s.id > $1 ORDER BY s.id LIMIT $2`,
    // A value that was replaced since it was read is left alone.
    update: `UPDATE endpoint_secrets s SET sealed = new.sealed FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS new(id, was, sealed)
              WHERE s.id = new.id AND s.sealed = new.was`,
    placeOf: (row) => sealedPlace.endpointSecret(row.owner_id, row.id),
  },
  inEndpoints('headers_sealed', sealedPlace.endpointHeaders),
  inEndpoints('destination_sealed', sealedPlace.endpointDestination),
  {
    select: `SELECT id, id AS owner_id, secrets_sealed AS sealed FROM sources
              WHERE secrets_sealed IS NOT NULL AND id > $1 ORDER BY id LIMIT $2`,
    update: `UPDATE sources s SET secrets_sealed = new.sealed FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS new(id, was, sealed)
              WHERE s.id = new.id AND s.secrets_sealed = new.was`,
    placeOf: (row) => sealedPlace.sourceSecrets(row.owner_id),
  },
];

/** Every sealed value, of deleted endpoints too, in pages that no statement holds for long. */
async function* batches(
  pool: pg.Pool,
  batchSize: number,
): AsyncGenerator<{ source: Source; rows: readonly SealedRow[] }> {
  for (const source of sources) {
    let after = '';
    for (;;) {
      const { rows } = await pool.query<SealedRow>(source.select, [after, batchSize]);
      if (rows.length === 0) break;
      yield { source, rows };
      after = rows.at(-1)!.id;
    }
  }
}

async function checkAll(
  pool: pg.Pool,
  vault: Vault,
  batchSize: number,
  onProgress: (progress: ResealProgress) => void,
) {
  const problems: string[] = [];
  const skipped: string[] = [];
  let values = 0;
  for await (const { source, rows } of batches(pool, batchSize)) {
    for (const row of rows) {
      const problem = openingProblem(vault, row, source);
      if (problem !== null) (row.is_deleted === true ? skipped : problems).push(problem);
    }
    values += rows.length;
    onProgress({ step: 'checked', values });
  }
  return { values, problems, skipped };
}

function openingProblem(vault: Vault, row: SealedRow, source: Source): string | null {
  try {
    vault.open(row.sealed, source.placeOf(row));
    return null;
  } catch (error) {
    if (error instanceof UnsealError) return error.message;
    throw error;
  }
}

async function resealBatch(pool: pg.Pool, vault: Vault, source: Source, rows: readonly SealedRow[]): Promise<number> {
  const outdated = rows.filter((row) => isOutdated(vault, row, source));
  if (outdated.length === 0) return 0;
  const sealed = outdated.map((row) => vault.seal(vault.open(row.sealed, source.placeOf(row)), source.placeOf(row)));
  const { rowCount } = await pool.query(source.update, [
    outdated.map((row) => row.id),
    outdated.map((row) => row.sealed),
    sealed,
  ]);
  return rowCount ?? 0;
}

/** Whether a value is to be sealed again: not if it cannot be opened and nobody needs it. */
function isOutdated(vault: Vault, row: SealedRow, source: Source): boolean {
  return !vault.isCurrent(row.sealed) && !(row.is_deleted === true && openingProblem(vault, row, source) !== null);
}

async function countOutdated(pool: pg.Pool, vault: Vault, batchSize: number): Promise<number> {
  let count = 0;
  for await (const { source, rows } of batches(pool, batchSize))
    count += rows.filter((row) => isOutdated(vault, row, source)).length;
  return count;
}

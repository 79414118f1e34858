import type pg from 'pg';

/** Where partitions ended: by a topic's id, for each of its partitions, the offset of the next message, in decimal. */
export type SourceStarts = Readonly<Record<string, readonly string[]>>;

/**
 * Where the partitions of a source ended when it first began with what it consumes now, `scope`. If several processes begin together, what
 * one of them found counts for all.
 * @param look finds where they end; not called where it is known
 */
export async function recallStarts(
  pool: pg.Pool,
  sourceNum: number,
  scope: string,
  look: () => Promise<SourceStarts>,
): Promise<SourceStarts> {
  const known = await read(pool, sourceNum, scope);
  if (known !== null) return known;
  const found = await look();
  await pool.query(`UPDATE sources SET starts = $2 WHERE num = $1 AND (starts->>'scope') IS DISTINCT FROM $3`, [
    sourceNum,
    JSON.stringify({ scope, ends: found }),
    scope,
  ]);
  // Nothing is stored if the source is gone, or was changed at this moment: then what was found holds for this session.
  return (await read(pool, sourceNum, scope)) ?? found;
}

async function read(pool: pg.Pool, sourceNum: number, scope: string): Promise<SourceStarts | null> {
  const { rows } = await pool.query<{ ends: SourceStarts }>(
    `SELECT starts->'ends' AS ends FROM sources WHERE num = $1 AND starts->>'scope' = $2`,
    [sourceNum, scope],
  );
  return rows[0]?.ends ?? null;
}

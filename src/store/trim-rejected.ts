import type pg from 'pg';

const AT_ONCE = 1_000;

/**
 * Drops the oldest rejected messages of a source that are more than `most`.
 * @returns how many, and how many of them its dead-letter topic or exchange never got.
 */
export async function trimRejected(
  pool: pg.Pool,
  sourceNum: number,
  most: number,
): Promise<{ readonly dropped: number; readonly unpublished: number }> {
  for (let dropped = 0, unpublished = 0; ; ) {
    const { rows } = await pool.query<{ publish: boolean }>(
      `DELETE FROM rejected_messages WHERE id IN (
         SELECT id FROM rejected_messages
          WHERE source_num = $1
            AND id <= (SELECT id FROM rejected_messages WHERE source_num = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
          ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
       RETURNING publish`,
      [sourceNum, most, AT_ONCE],
    );
    dropped += rows.length;
    unpublished += rows.filter(({ publish }) => publish).length;
    if (rows.length < AT_ONCE) return { dropped, unpublished };
  }
}

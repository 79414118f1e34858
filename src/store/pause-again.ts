/**
 * A part of a statement whose CTE took rows of the mailbox away without an end. Those that had taken the place of a paused key are dead
 * letters again, and their keys wait for them again, unless the endpoint says otherwise now: who makes it go on looks for paused keys after that.
 * @param gone the CTE, with `endpoint_num`, `event_id`, `order_key`, `seq` and `paused_at` of the rows
 */
export const pauseAgain = (gone: string): string => `
  pausing AS MATERIALIZED (
    SELECT e.num FROM ${gone} g JOIN endpoints e ON e.num = ANY (ARRAY[g.endpoint_num])
     WHERE g.paused_at IS NOT NULL AND e.on_dead_letter = 'pause' ORDER BY e.num FOR SHARE OF e
  ),
  paused AS (
    INSERT INTO paused_keys (endpoint_num, order_key, event_id, seq, paused_at)
    SELECT endpoint_num, order_key, event_id, seq, paused_at FROM ${gone}
     WHERE paused_at IS NOT NULL AND order_key IS NOT NULL AND endpoint_num IN (SELECT num FROM pausing)
    ON CONFLICT DO NOTHING
  )`;

/**
 * In SQL, the first UUID of the days whose attempts are in the log. A day leaves it attempts first, and may stand so for long, while a dump
 * has the log open: what its events have on record is out of sight until they go too, which reads as if they had never been sent, and
 * nothing more can be recorded of them. To be asked in the statement that acts on it, whose snapshot says which days its attempts are
 * looked for in. The bound is read without the table, which the detachment may have locked.
 */
export const WHOLE_FROM = `
  (SELECT min(substring(pg_get_expr(c.relpartbound, 0) FROM '[0-9a-f]{8}-[0-9a-f-]{27}') COLLATE "C")::uuid
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'attempts'::regclass AND NOT i.inhdetachpending)`;

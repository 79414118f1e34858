/** Class of the advisory locks that workers hold while they live; the second number is a worker's own. */
export const PRESENCE_CLASS = 7410;

/** The presence locks of this database, as a subquery: `key`, and `pid` of the session that holds it. */
export const PRESENCE_LOCKS = `(
  SELECT objid::bigint AS key, pid FROM pg_locks
   WHERE locktype = 'advisory' AND classid = ${PRESENCE_CLASS} AND objsubid = 2 AND granted
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`;

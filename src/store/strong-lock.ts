/**
 * For a transaction that wants a lock which autovacuum is in the way of: it gives way to who has waited for `deadlock_timeout` (a second by
 * default), and never to who leaves off before. Half a second longer, and no longer than four seconds whatever that is set to: behind who
 * waits for a table, its readers and writers queue up.
 */
export const AWAIT_STRONG_LOCK = `SELECT set_config('lock_timeout', least(setting::int + 500, 4000)::text, true) FROM pg_settings WHERE name = 'deadlock_timeout'`;

/**
 * A statement that sets how long its transaction waits for a lock that autovacuum may hold. Autovacuum gives way to whoever has waited for
 * `deadlock_timeout` (a second by default), and never to whoever gives up before that. So the wait is half a second longer than that, but
 * never longer than four seconds: whoever reads or writes the table queues up behind the wait.
 */
export const AWAIT_STRONG_LOCK = `SELECT set_config('lock_timeout', least(setting::int + 500, 4000)::text, true) FROM pg_settings WHERE name = 'deadlock_timeout'`;

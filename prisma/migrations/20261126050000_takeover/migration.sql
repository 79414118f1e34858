-- What others tell a worker that died from one that is slow: the advisory lock (7410, lock_key) of its session, which Postgres lets go
-- when the process ends. Null where session locks cannot be relied on (a pooler between, an older version): then only its leases count.
-- server_started_at: the start of the Postgres that the lock was taken in. After a restart nobody's lock is held, and nobody has died.
ALTER TABLE "workers" ADD COLUMN "lock_key" INTEGER, ADD COLUMN "server_started_at" TIMESTAMPTZ(6);

-- What every worker looks through every two seconds. By itself: the column before shuts out readers until its end. Workers of earlier versions look through endpoints_deleted_idx.
CREATE INDEX "endpoints_uncancelled_idx" ON "endpoints" ("deleted_at") WHERE "deleted_at" IS NOT NULL AND "cancelled_at" IS NULL;

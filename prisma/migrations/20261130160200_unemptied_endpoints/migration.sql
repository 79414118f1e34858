-- What every worker looks through every hour. By itself: the column before shuts out readers until its end.
CREATE INDEX "endpoints_unemptied_idx" ON "endpoints" ("num") WHERE "deleted_at" IS NOT NULL AND "cancelled_at" IS NOT NULL AND "emptied_at" IS NULL;

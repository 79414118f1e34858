-- Every worker looks every two seconds for what waits for endpoints that were deleted lately. They are few among many.
CREATE INDEX "endpoints_deleted_idx" ON "endpoints" ("deleted_at") WHERE "deleted_at" IS NOT NULL;

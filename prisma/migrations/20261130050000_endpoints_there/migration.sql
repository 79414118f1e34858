-- Deleted endpoints stay, because deliveries tell of them, and there may be any number of them: what looks at the endpoints of a tenant, or at those that wait for
-- something, must not step over them, partly while commits wait. Each takes the place of an index that has the deleted ones, too.
CREATE INDEX "endpoints_there_idx" ON "endpoints" ("tenant_num", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "endpoints_there_system_idx" ON "endpoints" ("tenant_num")
  WHERE "deleted_at" IS NULL AND jsonb_path_exists("subscriptions", '$[*].types[*] ? (@ starts with "system")');
CREATE INDEX "endpoints_validation_idx" ON "endpoints" ("validation_due_at") WHERE "deleted_at" IS NULL AND "validation_due_at" IS NOT NULL;

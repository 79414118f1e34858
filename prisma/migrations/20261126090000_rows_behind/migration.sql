-- What stands behind others in order, by key: looked for after a crash, whatever else the endpoint has waiting.
CREATE INDEX "mailbox_behind_idx" ON "mailbox" ("endpoint_num", "order_key") WHERE "order_key" IS NOT NULL AND "due_at" = 'infinity';

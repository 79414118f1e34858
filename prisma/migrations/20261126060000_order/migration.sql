-- Ordered delivery. A row of an ordered endpoint has a key (its endpoint, or its subject) and a number that rises with each row; of
-- each key only the row with the lowest number may be sent. Rows that wait behind another are parked with a due time of infinity, where
-- no fetch steps over them. See docs/adr/0015-order.md.

ALTER TABLE "endpoints"
  ADD COLUMN "order_mode" TEXT NOT NULL DEFAULT 'none',
  ADD COLUMN "on_dead_letter" TEXT NOT NULL DEFAULT 'continue';

ALTER TABLE "mailbox"
  ADD COLUMN "order_key" INTEGER,
  ADD COLUMN "seq" BIGINT;
CREATE INDEX "mailbox_order_idx" ON "mailbox" ("endpoint_num", "order_key", "seq") WHERE "order_key" IS NOT NULL;

CREATE SEQUENCE "mailbox_seq";

-- Keys that wait for a person, because a delivery was dead-lettered.
CREATE TABLE "paused_keys" (
  "endpoint_num" INTEGER NOT NULL,
  "order_key" INTEGER NOT NULL,
  -- The dead letter, and its number: sent again, it goes before what waits behind it.
  "event_id" UUID NOT NULL,
  "seq" BIGINT NOT NULL,
  "paused_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  PRIMARY KEY ("endpoint_num", "order_key"),
  CONSTRAINT "paused_keys_endpoint_num_fkey" FOREIGN KEY ("endpoint_num") REFERENCES "endpoints" ("num") ON DELETE CASCADE ON UPDATE CASCADE
);

-- The same as src/routing/order-key.ts.
CREATE FUNCTION "order_key"(mode TEXT, subject TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE mode
    WHEN 'endpoint' THEN 0
    WHEN 'subject' THEN ('x' || encode(substring(sha256(convert_to(subject, 'UTF8')) FROM 1 FOR 4), 'hex'))::bit(32)::integer
  END
$$;

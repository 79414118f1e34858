-- Dead letters outlive the day of their event: before a day is dropped they are copied here, with what is needed to read them and to
-- make them again. docs/adr/0010-dead-letters.md tells why.

CREATE TABLE "kept_events" (
  "id" UUID NOT NULL PRIMARY KEY,
  "tenant_num" INTEGER NOT NULL,
  "type" TEXT NOT NULL,
  "subject" TEXT,
  "external_id" TEXT,
  "body" BYTEA NOT NULL,
  "expunged_at" TIMESTAMPTZ(3)
);
CREATE INDEX "kept_events_tenant_num_external_id_idx" ON "kept_events" ("tenant_num", "external_id");

CREATE TABLE "kept_dead_letters" (
  "event_id" UUID NOT NULL,
  "endpoint_num" INTEGER NOT NULL,
  "tenant_num" INTEGER NOT NULL,
  -- Requests that were made in all; what follows is the last one of them, as in "attempts".
  "requests" INTEGER NOT NULL,
  "attempt" SMALLINT NOT NULL,
  "started_at" TIMESTAMPTZ(3) NOT NULL,
  "outcome" SMALLINT NOT NULL,
  "status" SMALLINT,
  "dns_ms" INTEGER,
  "connect_ms" INTEGER,
  "first_byte_ms" INTEGER,
  "total_ms" INTEGER,
  "detail" TEXT,
  "response_headers" TEXT,
  "response_body" BYTEA,
  PRIMARY KEY ("event_id", "endpoint_num")
);
CREATE INDEX "kept_dead_letters_tenant_num_event_id_endpoint_num_idx" ON "kept_dead_letters" ("tenant_num", "event_id", "endpoint_num");

-- Events that match very many endpoints: their deliveries are still to be written into the mailbox, chunk by chunk, by a worker. What
-- stands in "endpoints" after the first "next" waits; a row goes when nothing is left. See docs/adr/0017-fan-out.md.
CREATE TABLE "expansions" (
  "event_id" UUID NOT NULL PRIMARY KEY,
  "tenant_num" INTEGER NOT NULL,
  -- Numbers of the endpoints that the event matched when it was accepted, each once, in rising order.
  "endpoints" INTEGER[] NOT NULL,
  -- How many these are: known without reading them.
  "size" INTEGER NOT NULL,
  "next" INTEGER NOT NULL DEFAULT 0,
  "accepted_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now()
) WITH (
  -- "next" rises in place: a page keeps room for it.
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 500,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.0,
  toast.autovacuum_vacuum_threshold = 5000,
  toast.autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX "expansions_tenant_num_event_id_idx" ON "expansions" ("tenant_num", "event_id");

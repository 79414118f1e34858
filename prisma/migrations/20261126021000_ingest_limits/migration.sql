-- What a tenant may send, as its operator set it; null: the installation's defaults alone.
ALTER TABLE "tenants" ADD COLUMN "limits" JSONB;

-- How much of each limited tenant's traffic comes to each API process, which says what share of the limit is its own: written once a
-- second, and of no worth after a crash, so that it is not logged. docs/adr/0011-ingest-limits.md tells why.
CREATE UNLOGGED TABLE "ingest_demand" (
  "tenant_num" INTEGER NOT NULL,
  "process" TEXT NOT NULL,
  -- Events a second that were asked for, refused ones included.
  "demand" DOUBLE PRECISION NOT NULL,
  "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  PRIMARY KEY ("tenant_num", "process")
) WITH (fillfactor = 20);

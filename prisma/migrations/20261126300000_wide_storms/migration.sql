-- A storm of many endpoints (docs/adr/0012-system-events.md). When more than a few endpoints of a tenant have news of one kind within a
-- window, what is to be told of them is gathered into one row that becomes one event.

CREATE TABLE "wide_announcements" (
  "id" UUID PRIMARY KEY,
  "tenant_num" INTEGER NOT NULL,
  -- Codes of src/store/codes.ts.
  "kind" SMALLINT NOT NULL,
  -- Notices gathered into it, and the first one of each of the first few endpoints.
  "count" INTEGER NOT NULL,
  "first_at" TIMESTAMPTZ(3) NOT NULL,
  "last_at" TIMESTAMPTZ(3) NOT NULL,
  -- All endpoints that it is about, in the order of their first news.
  "endpoint_nums" INTEGER[] NOT NULL,
  "samples" JSONB NOT NULL,
  "leased_until" TIMESTAMPTZ(3) NOT NULL
);

-- Endpoints of a tenant that had news of a kind for themselves since the window began. Those that subscribe to system events are counted,
-- and gathered, apart: what is told of the others is told to them.
CREATE TABLE "announcement_windows" (
  "tenant_num" INTEGER NOT NULL,
  "kind" SMALLINT NOT NULL,
  "of_subscribers" BOOLEAN NOT NULL,
  "spent" SMALLINT NOT NULL,
  "ends_at" TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY ("tenant_num", "kind", "of_subscribers")
);

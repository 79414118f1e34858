-- How often in a row a lane's owner ended without giving it back, and since when its owner has had it: src/domain/suspicion.ts.
ALTER TABLE "lanes" ADD COLUMN "crashes" SMALLINT NOT NULL DEFAULT 0, ADD COLUMN "acquired_at" TIMESTAMPTZ(3) NOT NULL DEFAULT '-infinity';

-- Deliveries of lanes that are served carefully, written before they are sent: few, and only after crashes.
CREATE TABLE "lane_suspects" (
  "endpoint_num" INTEGER NOT NULL,
  "event_id" UUID NOT NULL,
  "lane" SMALLINT NOT NULL,
  -- As in the mailbox when it was written: one that has moved on since is no suspect any more.
  "attempt" SMALLINT NOT NULL,
  "strikes" SMALLINT NOT NULL DEFAULT 0,
  "on_trial" BOOLEAN NOT NULL,
  PRIMARY KEY ("endpoint_num", "event_id")
);
CREATE INDEX "lane_suspects_lane_idx" ON "lane_suspects" ("lane");

-- Deliveries that were set aside because their worker died each time they were tried. Their rows of the mailbox are parked and due at
-- infinity; the row here tells them from others that are.
CREATE TABLE "poisoned_deliveries" (
  "event_id" UUID NOT NULL,
  "endpoint_num" INTEGER NOT NULL,
  "tenant_num" INTEGER NOT NULL,
  "crashes" SMALLINT NOT NULL,
  "reason" TEXT NOT NULL,
  "set_aside_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  PRIMARY KEY ("event_id", "endpoint_num")
);
CREATE INDEX "poisoned_deliveries_tenant_num_event_id_idx" ON "poisoned_deliveries" ("tenant_num", "event_id");

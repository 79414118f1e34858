-- Cancelled replays that may have left deliveries without an end, in the order of their cancellation: housekeeping looks through them, and goes over no others for it. Those that are done
-- with are not in it.
CREATE INDEX "replays_owed_ends_idx" ON "replays" ("finished_at")
  WHERE "state" = 'cancelled' AND "matched" > 0 AND "ends_looked_to" IS DISTINCT FROM 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    AND ("filter"->'plan'->>'endpointNum') IS NOT NULL AND ("filter"->'plan'->>'status') IS NULL;

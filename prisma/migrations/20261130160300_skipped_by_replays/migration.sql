-- Deliveries that a replay left out because their endpoint was disabled. Workers of earlier versions do not count them.
ALTER TABLE "replays" ADD COLUMN "skipped" INTEGER NOT NULL DEFAULT 0;

-- Workers look for replays that are not finished every second; of those that are there may be any number.
CREATE INDEX "replays_unfinished_idx" ON "replays" ("num") WHERE "state" IN ('pending', 'running');

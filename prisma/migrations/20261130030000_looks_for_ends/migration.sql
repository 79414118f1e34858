-- How far housekeeping has looked for deliveries that a cancelled replay left without an end: behind the events up to here there are none.
ALTER TABLE "replays" ADD COLUMN "ends_looked_to" UUID;

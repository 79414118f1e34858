-- Where events are now that had outlived their day and were brought back with all their dead letters: whoever looks for another of these by the old UUID finds it.
CREATE TABLE "restored_events" (
  "tenant_num" INTEGER NOT NULL,
  "old_id" UUID NOT NULL,
  "new_id" UUID NOT NULL,
  CONSTRAINT "restored_events_pkey" PRIMARY KEY ("tenant_num", "old_id")
);

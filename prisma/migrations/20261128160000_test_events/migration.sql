-- Events that were sent to one endpoint to try it: no replay brings them to another.
CREATE TABLE "test_events" ("event_id" UUID NOT NULL, CONSTRAINT "test_events_pkey" PRIMARY KEY ("event_id"));

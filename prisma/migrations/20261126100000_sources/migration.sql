-- Where events come from beside HTTP: see docs/adr/0018-sources.md.
CREATE TABLE "sources" (
  "num" SERIAL PRIMARY KEY,
  "id" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  -- "kafka" or "rabbitmq".
  "type" TEXT NOT NULL,
  -- "api" or "file": what is written in SOURCES_FILE is changed there.
  "origin" TEXT NOT NULL,
  -- As it was given, without its secrets.
  "config" JSONB NOT NULL,
  -- Its secrets, encrypted: a JSON object of paths in "config" and values.
  "secrets_sealed" BYTEA,
  "paused" BOOLEAN NOT NULL DEFAULT false,
  "version" BIGINT NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  "deleted_at" TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX "sources_id_key" ON "sources" ("id");
CREATE UNIQUE INDEX "sources_name_idx" ON "sources" ("name") WHERE "deleted_at" IS NULL;

-- What each process says of its consumers, every few seconds. Not logged: of no worth after a crash.
CREATE UNLOGGED TABLE "source_states" (
  "source_num" INTEGER NOT NULL,
  "process" TEXT NOT NULL,
  "state" JSONB NOT NULL,
  "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  CONSTRAINT "source_states_pkey" PRIMARY KEY ("source_num", "process")
) WITH (fillfactor = 50);

-- Messages that are no event and never will be as they are: kept for people, one row for each however often it comes.
CREATE TABLE "rejected_messages" (
  "id" UUID NOT NULL PRIMARY KEY,
  "source_num" INTEGER NOT NULL,
  -- Where it stood: "topic/partition/offset".
  "position" TEXT NOT NULL,
  -- What it is known by when it comes again.
  "identity" UUID NOT NULL,
  -- Order among others: "topic/partition".
  "message_group" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "detail" TEXT NOT NULL,
  "faults" JSONB NOT NULL DEFAULT '[]',
  -- What the broker said of it: names and texts.
  "attributes" JSONB NOT NULL DEFAULT '{}',
  -- Names and values in base64, as a list of pairs.
  "headers" JSONB NOT NULL DEFAULT '[]',
  "key" BYTEA,
  "body" BYTEA NOT NULL,
  "body_bytes" INTEGER NOT NULL,
  -- Whether something of it is missing here.
  "truncated" BOOLEAN NOT NULL,
  "message_at" TIMESTAMPTZ(3),
  "rejected_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  "attempts" INTEGER NOT NULL DEFAULT 1,
  -- Someone wants it to be tried again.
  "retry_at" TIMESTAMPTZ(3),
  -- Still to be published to the source's dead-letter topic or exchange.
  "publish" BOOLEAN NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX "rejected_messages_source_num_identity_key" ON "rejected_messages" ("source_num", "identity");
CREATE INDEX "rejected_messages_source_num_id_idx" ON "rejected_messages" ("source_num", "id");
CREATE INDEX "rejected_messages_retry_idx" ON "rejected_messages" ("source_num", "id") WHERE "retry_at" IS NOT NULL;
CREATE INDEX "rejected_messages_publish_idx" ON "rejected_messages" ("source_num", "id") WHERE "publish";

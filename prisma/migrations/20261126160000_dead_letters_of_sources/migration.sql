-- A rejected message that its dead-letter topic or exchange does not take lets the others pass, and is tried again later.
ALTER TABLE "rejected_messages" ADD COLUMN "publish_after" TIMESTAMPTZ(3);
ALTER TABLE "rejected_messages" ADD COLUMN "publish_error" TEXT;

-- Since when the key of a dead letter that is made again had waited for it: withdrawn before it ended, the key waits again.
ALTER TABLE "mailbox" ADD COLUMN "paused_at" TIMESTAMPTZ(3);

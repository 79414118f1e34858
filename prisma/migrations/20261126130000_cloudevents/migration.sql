-- Deliveries as CloudEvents, and the handshake by which a receiver agrees to deliveries before the first; see
-- docs/adr/0021-cloudevents.md.

ALTER TABLE "endpoints"
  -- native, cloudevents, cloudevents_binary
  ADD COLUMN "format" TEXT NOT NULL DEFAULT 'native',
  -- none, cloudevents
  ADD COLUMN "validation" TEXT NOT NULL DEFAULT 'none',
  -- pending, validated, refused; null where none is wanted. Unless it is validated nothing is sent.
  ADD COLUMN "validation_state" TEXT,
  ADD COLUMN "validation_detail" TEXT,
  -- Rises with each question, so that a late answer to an earlier one changes nothing.
  ADD COLUMN "validation_epoch" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "validation_tries" INTEGER NOT NULL DEFAULT 0,
  -- When a pending one is to be asked for (again).
  ADD COLUMN "validation_due_at" TIMESTAMPTZ(3),
  ADD COLUMN "validated_at" TIMESTAMPTZ(3),
  -- The origin that the receiver agreed to: every delivery carries it.
  ADD COLUMN "validated_origin" TEXT,
  -- Requests a minute that the receiver allows; null: any number.
  ADD COLUMN "allowed_per_minute" INTEGER;

CREATE INDEX "endpoints_validation_due_at_idx" ON "endpoints" ("validation_due_at") WHERE "validation_due_at" IS NOT NULL;

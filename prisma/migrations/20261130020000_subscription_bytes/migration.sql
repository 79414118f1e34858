-- How long an endpoint's subscriptions are as text: what a tenant has of them in all is bounded, and to count it must not read them. Written by
-- a trigger, so that a version that knows nothing of it keeps it too. 0: not counted yet. Those that are there are counted by a later migration: this one has the table for itself.
ALTER TABLE "endpoints" ADD COLUMN "subscription_bytes" INTEGER NOT NULL DEFAULT 0;

CREATE FUNCTION "count_subscription_bytes"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.subscription_bytes := octet_length(NEW.subscriptions::text);
  RETURN NEW;
END $$;

CREATE TRIGGER "endpoints_subscription_bytes" BEFORE INSERT OR UPDATE OF "subscriptions" ON "endpoints"
  FOR EACH ROW EXECUTE FUNCTION "count_subscription_bytes"();

-- What the owner of a lane knows of an endpoint besides its settings: circuit breaker, rate limit, throttle. The owner holds it in memory
-- and writes it down on transitions, and before it lets go (docs/adr/0014-endpoint-states.md).

ALTER TABLE "endpoints"
  ADD COLUMN "rate_per_second" DOUBLE PRECISION,
  ADD COLUMN "rate_burst" DOUBLE PRECISION;

CREATE TABLE "endpoint_states" (
  "endpoint_num" INTEGER PRIMARY KEY,
  -- src/delivery/gate.ts, as plain JSON; null when nothing is held against the endpoint.
  "gate" JSONB,
  -- Until when nothing is sent to it; a sleeping lane is woken for it then.
  "closed_until" TIMESTAMPTZ(3),
  -- Rises when somebody else than the lane's owner rewrites this row: the owner then takes over what is here.
  "resets" INTEGER NOT NULL DEFAULT 0,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  CONSTRAINT "endpoint_states_endpoint_num_fkey" FOREIGN KEY ("endpoint_num") REFERENCES "endpoints" ("num") ON DELETE CASCADE ON UPDATE CASCADE
) WITH (fillfactor = 50);

-- In parts.
-- Endpoints that were there before their subscriptions were counted. One that somebody else holds is left: whoever reads counts it, and its next change does.
UPDATE "endpoints" e SET "subscription_bytes" = octet_length(e."subscriptions"::text)
  FROM (
    SELECT "num" FROM "endpoints" WHERE "subscription_bytes" = 0 AND "deleted_at" IS NULL ORDER BY "num" LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
  ) found
 WHERE e."num" = found."num";

-- Endpoints whose destination is not a URL. Such a one has in "url" a line with a scheme that no HTTP client takes (kafka://…), which
-- decides: where it is http or https, "destination" counts for nothing, so that an older process may write it and not know of the rest.
ALTER TABLE "endpoints" ADD COLUMN "destination" JSONB;
-- Its password.
ALTER TABLE "endpoints" ADD COLUMN "destination_sealed" BYTEA;

-- Where the partitions of a source ended when it first began, for those that begin with the latest: what is made later is read from its beginning.
ALTER TABLE "sources" ADD COLUMN "starts" JSONB;

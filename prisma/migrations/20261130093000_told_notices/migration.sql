-- How far the owner of the endpoint's lane has told of it: what is saved once more, because the answer was lost, is told once. Workers of earlier versions leave it as it is.
ALTER TABLE "endpoint_states" ADD COLUMN "told_epoch" BIGINT, ADD COLUMN "told" INTEGER;

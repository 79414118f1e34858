-- When nothing waited any more for an endpoint that was deleted. Workers look at those that have none: all that were deleted, also by a version that knows nothing of it.
ALTER TABLE "endpoints" ADD COLUMN "cancelled_at" TIMESTAMPTZ(3);

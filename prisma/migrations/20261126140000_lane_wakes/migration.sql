-- When a lane that nobody owns is to be looked at although nothing in it is due that is not parked: its last owner knew when the first of
-- its closed endpoints opens again. A version that knows nothing of it leaves what is here, and what is past is looked at.
ALTER TABLE "lanes" ADD COLUMN "wake_at" TIMESTAMPTZ(3) NOT NULL DEFAULT '-infinity';

-- When what was sealed for a deleted endpoint was forgotten. Workers of earlier versions forget it and leave this empty: those are looked at once more.
ALTER TABLE "endpoints" ADD COLUMN "emptied_at" TIMESTAMPTZ(3);

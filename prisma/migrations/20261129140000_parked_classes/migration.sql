-- An endpoint's backlog is pulled back class by class (0: first attempts, 1: retries, 2: what a replay queued), so that none is behind the others. The condition is
-- not `parked`, lest a read by class be planned through mailbox_parked_idx, where it would step over the other classes; that one says which endpoints have a backlog.
CREATE INDEX "mailbox_parked_class_idx" ON "mailbox" (
  "lane", "endpoint_num",
  (CASE WHEN NOT "parked" THEN NULL WHEN "replay_num" IS NOT NULL THEN 2 WHEN "step" > 0 THEN 1 ELSE 0 END),
  "due_at", "event_id"
) WHERE (CASE WHEN NOT "parked" THEN NULL WHEN "replay_num" IS NOT NULL THEN 2 WHEN "step" > 0 THEN 1 ELSE 0 END) IS NOT NULL;

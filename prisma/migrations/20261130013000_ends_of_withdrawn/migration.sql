-- Deliveries that a replay made of what an endpoint had missed, and that earlier versions left without an end where the replay was cancelled during an attempt: each
-- was shown as cancelled, and no list of the cancelled had it. It gets the entry that a cancellation writes; the number before it stays free, as there. A replay of that kind
-- names its endpoint, whose attempts are found by an index: no other is looked at.
DO $$
DECLARE
  looked RECORD;
BEGIN
  FOR looked IN
    SELECT (filter->'plan'->>'endpointNum')::int AS endpoint_num, min(filter->'plan'->>'from')::uuid AS from_id, max(filter->'plan'->>'to')::uuid AS to_id
      FROM replays
     WHERE state = 'cancelled' AND filter->'plan'->>'endpointNum' IS NOT NULL AND filter->'plan'->>'status' IS NULL
     GROUP BY 1 ORDER BY 1
  LOOP
    INSERT INTO attempts (event_id, started_at, endpoint_num, tenant_num, attempt, outcome, decision, detail)
    SELECT a.event_id, now(), a.endpoint_num, a.tenant_num, max(a.attempt) + 2, 4, 4, 'replay_cancelled'
      FROM attempts a
     WHERE a.endpoint_num = looked.endpoint_num AND a.event_id >= looked.from_id AND a.event_id < looked.to_id
       AND NOT EXISTS (SELECT FROM mailbox m WHERE m.endpoint_num = a.endpoint_num AND m.event_id = a.event_id)
     GROUP BY a.event_id, a.endpoint_num, a.tenant_num
    HAVING bool_and(a.decision NOT IN (1, 3, 4))
    ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

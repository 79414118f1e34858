-- Marks of deliveries that are set aside no longer: earlier versions left them where the payload was expunged or the endpoint deleted.
DELETE FROM "poisoned_deliveries" p
 WHERE (SELECT m."due_at" FROM "mailbox" m WHERE m."endpoint_num" = p."endpoint_num" AND m."event_id" = p."event_id") IS DISTINCT FROM 'infinity';

-- Changes are listed in the order in which they were made, whatever the clocks of the processes say, and however long a transaction waited for its locks:
-- UUIDv7 with the fraction of the millisecond behind it (RFC 9562, section 6.2, method 3).
CREATE FUNCTION "audit_id"() RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  micros bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  fraction int := ((micros % 1000) * 4096 / 1000)::int;
  bytes bytea := overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send(micros / 1000) FROM 3) FROM 1 FOR 6);
BEGIN
  RETURN encode(set_byte(set_byte(bytes, 6, 112 | (fraction >> 8)), 7, fraction & 255), 'hex')::uuid;
END $$;

ALTER TABLE "audit_log"
  ALTER COLUMN "id" SET DEFAULT "audit_id"(),
  ALTER COLUMN "at" SET DEFAULT clock_timestamp();

// The statement of a group commit (`event-log.ts`), in four forms.
// Parameters: 1–2 routing, 3–6 claims, 7–13 events, 14 their bodies, 15–19 deliveries, 20–21 endpoints with their known versions; with
// expansions 22–25; and, if expired claims may be taken over, last the UUID that they are older than.
// Rows: those endpoints whose version is another by now.

// Keys are written as new ones, and the statement fails if one is there already. Only then it is sent again, in the form that takes over
// expired claims. ON CONFLICT in each statement would cost every key one more search, and one more record of the WAL.
const AS_NEW = '';
const overExpired = (expireBefore: string) => `
    ON CONFLICT (key) DO UPDATE
       SET event_id = EXCLUDED.event_id, body_hash = EXCLUDED.body_hash, deliveries = EXCLUDED.deliveries
     WHERE idempotency_keys.event_id < ${expireBefore}::uuid`;

// Bodies travel as one binary parameter and are cut apart in Postgres: a bytea[] would be sent as escaped hex.
// Arrays are unnested side by side in lists of columns: in FROM, Postgres would write each of them out and read it again.
// All that stores reads from `checked`, so that it runs first. For the same reason `claimed` reads from `routed`.
const appendText = (taken: string, more: string) => `
  WITH routed AS MATERIALIZED (SELECT assert_routing_versions($1::int[], $2::bigint[]) AS ok),
  claimed AS (
    INSERT INTO idempotency_keys (key, event_id, body_hash, deliveries)
    SELECT k.key, k.event_id, k.body_hash, k.deliveries
      FROM routed, (SELECT unnest($3::uuid[]) AS key, unnest($4::uuid[]) AS event_id, unnest($5::uuid[]) AS body_hash, unnest($6::int[]) AS deliveries) k
     WHERE routed.ok ORDER BY k.key${taken}
    RETURNING 1
  ),
  checked AS MATERIALIZED (
    SELECT routed.ok AND assert_all_claimed((SELECT count(*) FROM claimed), cardinality($3::uuid[])) AS ok FROM routed
  ),
  stored AS (
    INSERT INTO events (id, tenant_num, type, subject, external_id, body)
    SELECT e.id, e.tenant_num, e.type, e.subject, e.external_id, substring($14::bytea FROM e.start FOR e.length)
      FROM checked, (SELECT unnest($7::uuid[]) AS id, unnest($8::int[]) AS tenant_num, unnest($9::text[]) AS type, unnest($10::text[]) AS subject,
                            unnest($11::text[]) AS external_id, unnest($12::int[]) AS start, unnest($13::int[]) AS length) e
     WHERE checked.ok
  )${more},
  queued AS (
    INSERT INTO mailbox (event_id, due_at, endpoint_num, tenant_num, lane, order_key, seq)
    SELECT d.event_id, date_trunc('milliseconds', now()), d.endpoint_num, d.tenant_num, d.lane, d.order_key,
           CASE WHEN d.order_key IS NOT NULL THEN nextval('mailbox_seq') END
      FROM checked, (SELECT unnest($15::uuid[]) AS event_id, unnest($16::int[]) AS endpoint_num, unnest($17::int[]) AS tenant_num,
                            unnest($18::smallint[]) AS lane, unnest($19::int[]) AS order_key) d
     WHERE checked.ok
  )
  SELECT k.num FROM (SELECT unnest($20::int[]) AS num, unnest($21::bigint[]) AS version) k
   WHERE k.version IS DISTINCT FROM (SELECT e.version FROM endpoints e WHERE e.num = k.num)`;

// Only for groups with expansions: most groups have none and need not pay for this.
const EXPANSIONS = `,
  sets AS MATERIALIZED (
    SELECT s.place, s.nums::int[] AS nums FROM unnest($25::text[]) WITH ORDINALITY AS s(nums, place)
  ),
  deferred AS (
    INSERT INTO expansions (event_id, tenant_num, endpoints, size)
    SELECT x.event_id, x.tenant_num, sets.nums, cardinality(sets.nums)
      FROM checked, unnest($22::uuid[], $23::int[], $24::int[]) AS x(event_id, tenant_num, place) JOIN sets USING (place)
     WHERE checked.ok
  )`;

/** `wide`: for groups with expansions. `overExpired`: for groups with a key that was claimed before. */
export const APPEND_STATEMENTS = {
  narrow: {
    asNew: { name: 'append-new', text: appendText(AS_NEW, '') },
    overExpired: { name: 'append-over-expired', text: appendText(overExpired('$22'), '') },
  },
  wide: {
    asNew: { name: 'append-wide-new', text: appendText(AS_NEW, EXPANSIONS) },
    overExpired: { name: 'append-wide-over-expired', text: appendText(overExpired('$26'), EXPANSIONS) },
  },
} as const;

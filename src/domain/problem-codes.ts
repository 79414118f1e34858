/** A reason for which a request is refused: what programs go by. One that callers know is never renamed, and keeps its status. */
interface ProblemKind {
  readonly status: number;
  /** The calls that answer it. */
  readonly where: string;
  readonly meaning: string;
  readonly remedy: string;
}

const ANY = 'any call';
const WITH_BODY = 'any call that takes a body';
const INGEST = '`POST /v1/events`';
const LIMITED = '`POST /v1/events`, `POST …/endpoints/{endpoint_id}/test`';
const GONE = 'Look the id up in the list.';
const AGAIN = 'Send it again after `Retry-After`, then ever more slowly.';
const FIX_FIELDS = 'Change what `errors` names.';

/** Every code of a problem document: `Refusal` takes no other, and docs/errors.md is made of it. */
export const PROBLEM_CODES = {
  invalid_request: {
    status: 400,
    where: ANY,
    meaning:
      'It is no request of HTTP/1.1 that can be told apart from others, has `Host` or `Idempotency-Key` twice, or its path does not decode.',
    remedy: 'Look at what the client or a proxy sends; `%` in a path is `%25`.',
  },
  invalid_json: {
    status: 400,
    where: WITH_BODY,
    meaning: 'The body is not JSON, not UTF-8, or empty where events are expected. The detail says where it breaks.',
    remedy: 'Send what a JSON encoder makes.',
  },
  incomplete_body: {
    status: 400,
    where: WITH_BODY,
    meaning: 'The connection ended before the body did.',
    remedy: 'Send it again, an event with the same idempotency key.',
  },
  unauthorized: {
    status: 401,
    where: 'any call under `/v1`',
    meaning: 'No key came, or none that is valid: unknown, revoked, expired, or of a deleted tenant.',
    remedy: 'Send `Authorization: Bearer <key>` with a key that is valid.',
  },
  forbidden: {
    status: 403,
    where: 'calls for operators',
    meaning: 'The key is a tenant’s.',
    remedy: 'Make the call with an operator key.',
  },
  missing_scope: {
    status: 403,
    where: 'calls for tenants',
    meaning: 'The key lacks the scope that the detail names.',
    remedy: 'Make a key with that scope.',
  },
  not_found: {
    status: 404,
    where: ANY,
    meaning: 'There is no such path, or an id in it can be none.',
    remedy: 'Look the path up in the OpenAPI document.',
  },
  tenant_not_found: {
    status: 404,
    where: 'calls that name a tenant, in the path or in an event',
    meaning: 'There is no such tenant, or it is another than the key’s.',
    remedy: 'Use the id of the key’s tenant; as operator, create it first.',
  },
  key_not_found: {
    status: 404,
    where: '`DELETE …/keys/{key_id}`',
    meaning: 'The tenant has no such key, or it was revoked already.',
    remedy: GONE,
  },
  endpoint_not_found: {
    status: 404,
    where: 'calls that name an endpoint in the path',
    meaning: 'The tenant has no such endpoint, or it was deleted.',
    remedy: GONE,
  },
  event_type_not_found: {
    status: 404,
    where: 'calls that name an event type in the path',
    meaning: 'The tenant has not registered the type.',
    remedy: 'Register it by `PUT …/versions/{version}`.',
  },
  version_not_found: {
    status: 404,
    where: 'calls that name a version of an event type',
    meaning: 'The type has no such version.',
    remedy: '`GET …/event-types/{type}` lists those that it has.',
  },
  preset_not_found: {
    status: 404,
    where: '`POST …/event-types/presets/{preset}`',
    meaning: 'There is no such catalogue.',
    remedy: 'Take one that the detail lists.',
  },
  event_not_found: {
    status: 404,
    where: 'calls that name an event in the path',
    meaning: 'The tenant has no such event, or its retention has ended.',
    remedy: GONE,
  },
  delivery_not_found: {
    status: 404,
    where: 'calls that name a delivery in the path',
    meaning: 'The tenant has no such delivery, or its retention has ended.',
    remedy: GONE,
  },
  dead_letter_not_found: {
    status: 404,
    where: '`GET …/dead-letters/{delivery_id}`',
    meaning: 'The delivery is no dead letter (any more), or its retention has ended.',
    remedy: '`GET …/deliveries/{delivery_id}` says what became of it.',
  },
  replay_not_found: {
    status: 404,
    where: 'calls that name a replay in the path',
    meaning: 'The tenant has no such replay.',
    remedy: GONE,
  },
  source_not_found: {
    status: 404,
    where: 'calls that name a source in the path',
    meaning: 'There is no such source, or it was deleted.',
    remedy: GONE,
  },
  rejected_message_not_found: {
    status: 404,
    where: '`GET …/rejected/{message_id}`',
    meaning: 'The source keeps no such message: it was taken in since, discarded, or its retention has ended.',
    remedy: GONE,
  },
  method_not_allowed: {
    status: 405,
    where: ANY,
    meaning: 'The path does not take the method.',
    remedy: 'Use one that the header `Allow` lists.',
  },
  request_timeout: {
    status: 408,
    where: ANY,
    meaning: 'Headers took longer than 5 seconds to come, or the whole request longer than 30.',
    remedy: 'Send it again, an event with the same idempotency key.',
  },
  idempotency_conflict: {
    status: 409,
    where: INGEST,
    meaning:
      'The idempotency key or id belongs to an event with another body. Bodies are compared as they are written, whitespace, the order of the fields of the event and a `version` of `1.0` or the key’s own `tenant_id` that is spelled out aside: the number `1.0` is not `1`, nor are members of `data` in another order the same.',
    remedy: 'Do not send it again as it is: another event needs another key.',
  },
  tenant_exists: {
    status: 409,
    where: '`POST /v1/tenants`',
    meaning: 'There is, or was, a tenant with that id.',
    remedy: 'If it is not the one that you meant, take another id: those of deleted tenants are not given again.',
  },
  too_many_endpoints: {
    status: 409,
    where: '`POST …/endpoints`',
    meaning:
      'The tenant has as many endpoints as one may have (10,000), or has made twice as many within a day, deleted ones included.',
    remedy:
      'Delete some, or use another tenant; of the second, wait, and change endpoints rather than to delete and make them again.',
  },
  too_many_secrets: {
    status: 409,
    where: '`POST …/secret/rotate`',
    meaning: 'As many earlier secrets as may sign beside the new one still do.',
    remedy: 'Wait until one has expired, or rotate with `overlap_seconds: 0`, which ends them all at once.',
  },
  endpoint_disabled: {
    status: 409,
    where: '`POST …/endpoints/{endpoint_id}/test`, `POST …/replays`, `POST …/dead-letters/redrive`',
    meaning: 'The endpoint takes nothing while it is disabled.',
    remedy: 'Enable it: `PATCH …/endpoints/{endpoint_id}` with `enabled: true`.',
  },
  validation_not_wanted: {
    status: 409,
    where: '`POST …/endpoints/{endpoint_id}/validate`',
    meaning: 'The endpoint has `validation: "none"`.',
    remedy: 'Set `validation` first.',
  },
  version_exists: {
    status: 409,
    where: '`PUT …/event-types/{type}/versions/{version}`',
    meaning: 'The version is there, with another schema or other casts: these never change.',
    remedy: 'Register it under the next version.',
  },
  incompatible_schema: {
    status: 409,
    where: '`PUT …/event-types/{type}/versions/{version}`',
    meaning: 'It cannot be shown that the schema accepts what earlier versions of its major accept.',
    remedy: 'Change what `errors` names, or register the schema under a new major.',
  },
  too_many_event_types: {
    status: 409,
    where: '`PUT …/event-types/{type}/versions/{version}`, `POST …/event-types/presets/{preset}`',
    meaning: 'The tenant has as many event types as one may have.',
    remedy: 'Leave types without a schema unregistered: their events are taken all the same.',
  },
  too_many_versions: {
    status: 409,
    where: '`PUT …/event-types/{type}/versions/{version}`',
    meaning: 'The type has as many versions as one may have.',
    remedy: 'Go on under another type.',
  },
  conflict: {
    status: 409,
    where: '`PUT …/event-types/{type}/versions/{version}`, `POST …/event-types/presets/{preset}`',
    meaning: 'Others registered versions of the type at the same moment, again and again.',
    remedy: 'Send it again.',
  },
  endpoint_deleted: {
    status: 409,
    where: '`POST …/deliveries/{delivery_id}/retry`',
    meaning: 'The endpoint of the delivery was deleted.',
    remedy: 'Nothing can be delivered to it any more; a replay sends the event to another.',
  },
  payload_expunged: {
    status: 409,
    where: '`POST …/deliveries/{delivery_id}/retry`',
    meaning: 'The payload of the event was expunged.',
    remedy: 'Send it as a new event.',
  },
  delivery_ended: {
    status: 409,
    where: '`POST …/deliveries/{delivery_id}/cancel`',
    meaning: 'The delivery has ended: it was delivered, given up or cancelled.',
    remedy: 'There is nothing left to do.',
  },
  too_many_replays: {
    status: 409,
    where: '`POST …/replays`, `POST …/dead-letters/redrive`',
    meaning: 'As many replays of the tenant as may be are under way.',
    remedy: 'Wait for one to end, or cancel one.',
  },
  replay_finished: {
    status: 409,
    where: '`DELETE …/replays/{replay_id}`',
    meaning: 'The replay has ended.',
    remedy: 'There is nothing left to do.',
  },
  source_exists: {
    status: 409,
    where: '`POST /v1/sources`',
    meaning: 'There is a source of that name.',
    remedy: 'Take another name.',
  },
  source_of_file: {
    status: 409,
    where: '`DELETE /v1/sources/{source_id}`',
    meaning: 'The source is written in `SOURCES_FILE`.',
    remedy: 'Take it out there, or pause it.',
  },
  too_large: {
    status: 413,
    where: WITH_BODY,
    meaning:
      'The body, the event or the batch is larger than what is taken. The detail says how much that is: of bodies 256 KiB, of `POST /v1/events` `MAX_BATCH_BYTES`, of `POST …/filters/test` 256 KiB beside an event of `MAX_EVENT_BYTES`.',
    remedy:
      'Events: split the batch; an operator sets `MAX_EVENT_BYTES`, `MAX_BATCH_BYTES` and `MAX_BATCH_EVENTS`. Other calls: send less; that no variable changes.',
  },
  fan_out_too_large: {
    status: 413,
    where: INGEST,
    meaning: 'The events go to too many endpoints to be stored at once. Nothing was stored.',
    remedy: 'Split the batch.',
  },
  over_burst: {
    status: 413,
    where: LIMITED,
    meaning: 'The request has more events or bytes than the tenant may ever send at once. Nothing was stored.',
    remedy: 'Split the batch, or have the operator raise the limits of the tenant.',
  },
  unsupported_media_type: {
    status: 415,
    where: WITH_BODY,
    meaning: 'The body is not of a content type that the call takes, or not in UTF-8.',
    remedy: 'Send `content-type: application/json`, or for events another that the detail names.',
  },
  unsupported_encoding: {
    status: 415,
    where: WITH_BODY,
    meaning: 'The body has a content encoding, such as gzip, or a transfer coding that is not `chunked`.',
    remedy: 'Send it as it is.',
  },
  expectation_failed: {
    status: 417,
    where: ANY,
    meaning: 'The header `Expect` asks for something else than `100-continue`.',
    remedy: 'Leave it out.',
  },
  invalid: {
    status: 422,
    where: ANY,
    meaning: 'The body or the query is not valid, or there is one where none is taken.',
    remedy: FIX_FIELDS,
  },
  invalid_event: {
    status: 422,
    where: LIMITED,
    meaning: 'The event is not valid, or not what the schema of its type says.',
    remedy: FIX_FIELDS,
  },
  invalid_batch: {
    status: 422,
    where: INGEST,
    meaning:
      'Some events of the batch cannot be taken; each path begins with the place of its event. Nothing was stored.',
    remedy: 'Change or leave out the events that `errors` names, and send the batch again.',
  },
  empty_batch: {
    status: 422,
    where: INGEST,
    meaning: 'The batch holds no event.',
    remedy: 'Send at least one.',
  },
  too_costly_to_route: {
    status: 422,
    where: `${INGEST}, messages of a source, as the reason for which they were rejected`,
    meaning:
      'The event has so many values where filters of the tenant’s endpoints have so many conditions that to match it with them would take half a second and more of computing. Nothing was stored; of a batch the first such event is named.',
    remedy:
      'Send fewer values, in several events for instance, or have fewer or simpler filters: docs/filters.md says what takes long.',
  },
  too_much_filter_text: {
    status: 422,
    where: '`POST …/endpoints`, `PATCH …/endpoints/{endpoint_id}`',
    meaning:
      'The subscriptions of all endpoints of the tenant would be longer than they may be together. Nothing was changed.',
    remedy: 'Delete endpoints that are not used, disabled ones too, or make filters shorter.',
  },
  too_deep: {
    status: 422,
    where: WITH_BODY,
    meaning: 'The JSON nests deeper than what is taken.',
    remedy: 'Make it flatter.',
  },
  invalid_cursor: {
    status: 422,
    where: 'lists',
    meaning: 'The cursor is of another list, tenant or filter.',
    remedy: 'Start again without one, and change nothing else from page to page.',
  },
  unmapped: {
    status: 422,
    where: 'messages of a source, as the reason for which they were rejected',
    meaning: 'The message does not have what the mapping of the source takes a field from.',
    remedy: 'Change the mapping or the producer, then retry it: `POST …/rejected/retry`.',
  },
  rate_limited: {
    status: 429,
    where: `${LIMITED}, calls about versions of event types`,
    meaning:
      'The tenant has sent its share of events or bytes, or its schemas and the events that take long to be checked by them, or to be matched by its filters, have taken theirs. Nothing was stored, but for the types of a preset that came before.',
    remedy:
      'Send it again after `Retry-After`; the header `RateLimit` says what is left of events and bytes. Where nothing is left, a request is refused unread, and `Retry-After` is the wait for one event: a batch may be told a longer one when it comes again. `t` of `RateLimit` is enough for every request that may come at once.',
  },
  backlog_full: {
    status: 429,
    where: LIMITED,
    meaning: 'As many deliveries of the tenant as may be wait to be made. Nothing was stored.',
    remedy: 'Send it again after `Retry-After`, and see which endpoints do not keep up.',
  },
  too_many_scans: {
    status: 429,
    where: 'lists of events, deliveries and dead letters, statistics, purges, retries and expunges',
    meaning:
      'As many of these calls of the tenant as may be are under way or wait for their turn. Nothing was changed.',
    remedy: 'Ask again after `Retry-After`, for fewer at once.',
  },
  too_many_trials: {
    status: 429,
    where: '`POST …/filters/test`',
    meaning: 'The tenant has had its share of trials of filters that take long.',
    remedy: 'Try again after `Retry-After`, or with a smaller event.',
  },
  headers_too_large: {
    status: 431,
    where: ANY,
    meaning: 'The request line and the headers have more bytes together than are taken.',
    remedy: 'Send fewer or shorter ones.',
  },
  internal: {
    status: 500,
    where: ANY,
    meaning: 'Something went wrong here.',
    remedy: 'Tell the operator the `request_id`: the log has it with the cause.',
  },
  secret_unreadable: {
    status: 500,
    where: 'reading the signing secrets of an endpoint',
    meaning: 'A secret does not open with the `MASTER_KEY` at hand.',
    remedy:
      'The operator gives the process the key that it was sealed with, or the secret is rotated with `overlap_seconds` of 0: that drops what does not open.',
  },
  starting: {
    status: 503,
    where: ANY,
    meaning: 'The process is not ready yet.',
    remedy: AGAIN,
  },
  unavailable: {
    status: 503,
    where: ANY,
    meaning: 'The database is away, or does not answer in time. A change may have been made or not.',
    remedy:
      'Send a `GET`, `PUT` or `DELETE`, or an event with the same idempotency key or id, again after `Retry-After`, then ever more slowly. Before you repeat another `POST` or a `PATCH`, look whether it was done.',
  },
  storage_unavailable: {
    status: 503,
    where: INGEST,
    meaning: 'The event could not be stored in time. Nothing was acknowledged.',
    remedy: 'Send it again after `Retry-After`, with the same idempotency key.',
  },
  overloaded: {
    status: 503,
    where: ANY,
    meaning:
      'More is under way than the process may hold: events that are to be stored, or keys that it does not know. Nothing was stored.',
    remedy: AGAIN,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof PROBLEM_CODES;

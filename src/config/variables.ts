import { z } from 'zod';
import {
  cidrs,
  DESTINATIONS,
  destinations,
  flag,
  integer,
  list,
  masterKeys,
  path,
  postgresUrl,
  rate,
  redisUrl,
  roles,
  textLike,
  url,
} from './value-forms.ts';

/** One environment variable: the only place that says its name, its range, its default and what it is for. */
export interface Variable<T> {
  readonly schema: z.ZodType<T, string>;
  readonly fallback: T;
  /** How the default reads in the documentation, where it is not the value itself. */
  readonly fallbackText?: string;
  readonly description: string;
  readonly secret?: true;
}

function variable<T>(
  schema: z.ZodType<T, string>,
  fallback: T,
  description: string,
  more: { fallbackText?: string; secret?: true } = {},
) {
  return { schema, fallback, description, ...more } satisfies Variable<T>;
}

const none = { fallbackText: 'none' };
const unlimited = { fallbackText: 'no limit' };

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const variables = {
  DATABASE_URL: variable<string | undefined>(
    postgresUrl,
    undefined,
    'Postgres 14 or later. Without it, an embedded Postgres starts under `DATA_DIR`.',
    { fallbackText: 'embedded Postgres', secret: true },
  ),
  REDIS_URL: variable<string | undefined>(
    redisUrl,
    undefined,
    'Redis 6.2+ or Valkey with `maxmemory-policy noeviction`. `redis+sentinel://host:26379,host:26379/mymaster` and `redis+cluster://host:6379,host:6379` name a Sentinel group or a Cluster. User and password of the Redis servers stand before the hosts (`user:password@`); Sentinels with a login of their own get it by `?sentinel_username=…&sentinel_password=…`. `rediss:`, `rediss+sentinel:` and `rediss+cluster:` go by TLS; `NODE_EXTRA_CA_CERTS` names a file with authorities that Node does not know. Without it, BullMQ runs on Postgres.',
    { fallbackText: 'BullMQ on Postgres', secret: true },
  ),
  REDIS_PREFIX: variable(
    textLike(/^[\x21-\x7e]{1,64}$/, '1 to 64 printable characters'),
    '{posthorn}',
    'Prefix of all keys in Redis, another one for each installation on it; the braces keep them in one slot of a Cluster.',
  ),
  PORT: variable(integer(0, 65535), 8080, 'Port of the API; 0 takes a free one.'),
  HOST: variable(
    z.string().min(1).describe('an address or a host name'),
    '127.0.0.1',
    'Address that the API listens on (0.0.0.0 in the image).',
  ),
  MAX_CONNECTIONS: variable(
    integer(64, 1_000_000, 'connections'),
    4096,
    'Connections of clients that a process keeps open. Past it a new one takes the place of an idle one, or of one whose client does not read its answer or stops in the midst of a body, and where there is none, of one whose body has not come in full; never of one that is worked for. One whose request has not come in full takes up to some 25 KB.',
  ),
  ROLES: variable<('api' | 'worker' | 'ingest')[]>(
    roles,
    ['api', 'worker', 'ingest'],
    'What this process does: `api`, `worker`, `ingest` (takes events in from sources), or several, separated by commas. Without both `api` and `worker` it needs `DATABASE_URL`.',
    {
      fallbackText: 'api,worker,ingest',
    },
  ),
  SOURCES_FILE: variable<string | undefined>(
    path,
    undefined,
    'A YAML or JSON file of sources that processes with the role `ingest` consume, beside those made by the API (`docs/sources.md`).',
    none,
  ),
  REJECTED_MESSAGES_PER_SOURCE: variable(
    integer(100, 1_000_000, 'messages'),
    10_000,
    'Rejected messages of one source that are kept, each of at most 300 KB; past that the oldest are dropped, counted and logged.',
  ),
  OPERATOR_KEY: variable<string | undefined>(
    z
      .string()
      .min(24, 'expected at least 24 characters')
      .max(256)
      .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII without spaces')
      .describe('printable ASCII without spaces'),
    undefined,
    'The operator API key. Embedded: made once, kept in `DATA_DIR`, printed at start. With `DATABASE_URL`: required.',
    { fallbackText: 'made once when embedded', secret: true },
  ),
  MASTER_KEY: variable<string[] | undefined>(
    masterKeys,
    undefined,
    '32 bytes in base64 that encrypt secrets at rest. A list, separated by commas, allows rotation: the first encrypts, all decrypt. Embedded: made once, kept in `DATA_DIR`. With `DATABASE_URL`: required.',
    { fallbackText: 'made once when embedded', secret: true },
  ),
  DATA_DIR: variable(path, '.posthorn', 'Where embedded state is kept.'),
  ALLOWED_NETWORKS: variable<string[]>(
    cidrs,
    [],
    'CIDRs that deliveries may reach although they are private. Link-local and metadata addresses stay blocked unless a CIDR names them.',
    none,
  ),
  ALLOWED_PORTS: variable<number[]>(
    list.pipe(z.array(integer(1, 65535))),
    [],
    'Ports that deliveries may reach although they belong to well-known services (25, 5432, 6379, …).',
    none,
  ),
  EGRESS_PROXY_URL: variable<string | undefined>(
    url(['http:'])
      .refine((text) => !URL.canParse(text) || ['', '/'].includes(new URL(text).pathname), {
        message: 'expected no path',
      })
      .describe('a URL that starts with http:// and has no path'),
    undefined,
    'HTTP proxy that deliveries over HTTP go through, `http://user:password@host:port`. It is asked by `CONNECT` for addresses that the egress rules allow, never for names.',
    { fallbackText: 'none', secret: true },
  ),
  HTTPS_ONLY: variable(
    flag,
    false,
    'Refuse endpoints whose URL is not https, or whose broker is not to be reached by TLS.',
  ),
  DESTINATION_TYPES: variable<(typeof DESTINATIONS)[number][]>(
    destinations,
    [...DESTINATIONS],
    'Where endpoints may have their events sent. Leave the brokers out where tenants reach networks of `ALLOWED_NETWORKS` in which brokers ask for no password.',
    { fallbackText: DESTINATIONS.join(',') },
  ),
  WEBHOOK_ORIGIN: variable<string | undefined>(
    textLike(/^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/, 'a DNS name', 253),
    undefined,
    'DNS name that receivers of endpoints with `validation` are asked to agree to. One for all processes.',
    { fallbackText: 'the name of the host' },
  ),
  LANES: variable(
    integer(1, 1024),
    16,
    'Number of lanes. Written to the database at first start; a later start with another value is refused, because two values at once would give an endpoint two owners.',
  ),
  MAX_EVENT_BYTES: variable(integer(256, 8 * 1024 * 1024, 'bytes'), 262144, 'Largest event, as it is delivered.'),
  MAX_BATCH_EVENTS: variable(integer(1, 10000, 'events'), 1000, 'Most events in one request.'),
  MAX_BATCH_BYTES: variable(
    integer(1024, 64 * 1024 * 1024, 'bytes'),
    8 * 1024 * 1024,
    'Largest request body; no smaller than `MAX_EVENT_BYTES`.',
  ),
  CLOUDEVENTS_TENANT_EXTENSION: variable(
    textLike(/^[a-z0-9]{1,64}$/, '1 to 64 lower-case letters and digits'),
    'tenantid',
    'Extension attribute that names the tenant of a CloudEvent sent with an operator key.',
  ),
  IDEMPOTENCY_HOURS: variable(
    integer(24, 24 * 30, 'hours'),
    24,
    'How long an idempotency key or event id is remembered.',
  ),
  RETENTION_DAYS: variable(
    integer(5, 3650, 'days'),
    30,
    'Days that events and attempts are kept; older partitions are dropped.',
  ),
  DEAD_LETTER_RETENTION_DAYS: variable(
    integer(5, 3650, 'days'),
    90,
    'Days that dead letters are kept, with their event and last attempt; `RETENTION_DAYS` where that is more.',
  ),
  DELIVERY_TIMEOUT_SECONDS: variable(
    integer(1, 120, 'seconds'),
    15,
    'Total time of an attempt, where the endpoint does not set its own.',
  ),
  CONNECT_TIMEOUT_SECONDS: variable(
    integer(1, 30, 'seconds'),
    5,
    'Time for DNS, TCP and TLS, within the total: no larger than `DELIVERY_TIMEOUT_SECONDS`. The addresses of a name share it, half a second each at the least, so that of more than two for each second some may not be tried: when one has refused, the next is tried, and when one has not made it in its share, the next is tried beside it. After three that cut the TLS handshake off no other is tried. Where an endpoint has a shorter `timeout_seconds`, a connection that takes longer than that is still made (two at a time for each receiver, 256 in all; of one tenant never more than are left for the others), for a delivery that begins meanwhile or within four seconds after.',
  ),
  MAX_CONNECTIONS_PER_ORIGIN: variable(
    integer(1, 4096, 'connections'),
    1024,
    'Connections that one worker has or makes for one tenant to one receiver origin, with one socket each. All that a worker makes have up to 64 sockets more together (those of one tenant up to 32), for addresses that are tried beside each other. Fewer than its endpoints there may have under way at once make some of them fail for want of one.',
  ),
  MAX_DELIVERIES_IN_FLIGHT: variable(
    integer(1, 65536, 'requests'),
    1024,
    'Requests that one worker has under way at once.',
  ),
  MAX_BYTES_IN_FLIGHT: variable(
    integer(1024 * 1024, 4 * 1024 * 1024 * 1024, 'bytes'),
    64 * 1024 * 1024,
    'Bytes of event bodies that one worker holds at once, at least eight times `MAX_EVENT_BYTES`; the last eighth is for tenants that hold few of them. Past that no body is read, and what one read brings is half as much at the most, or one body.',
  ),
  INGEST_BUFFER_EVENTS: variable(
    integer(100, 1000000, 'events'),
    20000,
    'Events that wait for their commit at most; past that, 503 at once.',
  ),
  INGEST_BUFFER_BYTES: variable(
    integer(1024 * 1024, 4 * 1024 * 1024 * 1024, 'bytes'),
    64 * 1024 * 1024,
    'Bytes that wait for their commit at most. Beside it, request bodies under way may take half as much, and those of calls that send no events a quarter; those of one tenant half of that.',
  ),
  INGEST_DEADLINE_MS: variable(
    integer(50, 30000, 'milliseconds'),
    900,
    'Longest wait for a commit before the producer gets 503.',
  ),
  TENANT_EVENTS_PER_SECOND: variable<number | undefined>(
    rate(0.01, 1_000_000, 'events a second'),
    undefined,
    'Events a second that a tenant may send whose own limits say nothing of it.',
    unlimited,
  ),
  TENANT_BURST_EVENTS: variable<number | undefined>(
    integer(1, 10_000_000, 'events'),
    undefined,
    'Events that such a tenant may send at once.',
    { fallbackText: 'those of one second' },
  ),
  TENANT_BYTES_PER_SECOND: variable<number | undefined>(
    rate(1, 10_000_000_000, 'bytes a second'),
    undefined,
    'Bytes of request bodies a second, likewise.',
    unlimited,
  ),
  TENANT_BURST_BYTES: variable<number | undefined>(
    integer(256, 10_000_000_000, 'bytes'),
    undefined,
    'Bytes that such a tenant may send at once.',
    { fallbackText: 'those of one second, at least `MAX_EVENT_BYTES`' },
  ),
  TENANT_BACKLOG: variable<number | undefined>(
    integer(1, 1_000_000, 'deliveries'),
    undefined,
    'Deliveries that may wait for such a tenant before it can send no more.',
    unlimited,
  ),
  DATABASE_API_CONNECTIONS: variable(integer(2, 500, 'connections'), 8, 'Size of the pool that the API uses.'),
  // Both rounds of housekeeping may hold one for long, and leases must be renewed meanwhile.
  DATABASE_WORKER_CONNECTIONS: variable(integer(3, 500, 'connections'), 6, 'Size of the pool that deliveries use.'),
  SHUTDOWN_SECONDS: variable(
    integer(1, 300, 'seconds'),
    10,
    'Time to finish or hand back what is under way after SIGTERM; requests to receivers have two and a half seconds less of it.',
  ),
  LOG_LEVEL: variable(
    z.enum(LOG_LEVELS, `expected one of ${LOG_LEVELS.join(', ')}`),
    'info',
    'Lowest level that is logged.',
  ),
  DEMO: variable(flag, true, 'Run the demo when the embedded database is empty.'),
} as const;

export type VariableName = keyof typeof variables;

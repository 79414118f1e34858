/** A fault that the service has to survive. Scenarios say themselves which rows they play; here stands what else holds a row, or why nothing can. */
export interface FaultRow {
  readonly id: string;
  readonly fault: string;
  /** Test files that hold it, in parts or whole. */
  readonly tests?: readonly string[];
  /** Why no scenario plays it here. */
  readonly notHere?: string;
}

export const faultList: readonly FaultRow[] = [
  {
    id: 'F01',
    fault: 'worker killed while the receiver holds the request',
    tests: ['tests/chaos/crash-moments.test.ts'],
  },
  {
    id: 'F02',
    fault: 'worker killed after the 2xx, before it is written down',
    tests: ['tests/chaos/worker-crash.test.ts'],
  },
  { id: 'F03', fault: 'worker killed between claim and connection', tests: ['tests/chaos/worker-crash.test.ts'] },
  { id: 'F05', fault: 'API killed after the commit, before the ring', tests: ['tests/chaos/crash-moments.test.ts'] },
  { id: 'F06', fault: 'API killed after the ring, before the answer' },
  { id: 'F07', fault: 'API killed in the middle of a transaction', tests: ['tests/chaos/api-crash.test.ts'] },
  {
    id: 'F08',
    fault: 'API killed between commit and ring, and after half of the rings',
    tests: ['tests/chaos/crash-moments.test.ts'],
  },
  {
    id: 'F09',
    fault: 'Redis stopped for a while, with an append-only file',
    tests: ['tests/chaos/redis-faults.test.ts'],
  },
  { id: 'F10', fault: 'Redis restarted without persistence' },
  { id: 'F11', fault: 'FLUSHALL under load', tests: ['tests/chaos/redis-wiped.test.ts'] },
  { id: 'F12', fault: 'Redis at maxmemory' },
  { id: 'F13', fault: 'wrong eviction policy at the start' },
  { id: 'F14', fault: 'failover of Redis' },
  { id: 'F15', fault: 'Redis hangs', tests: ['tests/chaos/redis-faults.test.ts'] },
  { id: 'F17', fault: 'Postgres restarted under load', tests: ['tests/chaos/postgres-faults.test.ts'] },
  { id: 'F18', fault: 'Postgres hangs', tests: ['tests/chaos/postgres-faults.test.ts'] },
  { id: 'F19', fault: 'connections of the API exhausted by a long lock' },
  { id: 'F21', fault: 'deadlocks and serialization failures', tests: ['src/ingest/group-commit.test.ts'] },
  { id: 'F22', fault: 'disk of Postgres full' },
  { id: 'F24', fault: 'receiver that never answers', tests: ['src/delivery/send-misbehaviour.test.ts'] },
  { id: 'F25', fault: 'headers that drip, flood of 1xx', tests: ['src/delivery/send-misbehaviour.test.ts'] },
  { id: 'F26', fault: 'body that drips for ever after 200', tests: ['src/delivery/send-misbehaviour.test.ts'] },
  { id: 'F27', fault: 'never-ending fast body', tests: ['src/delivery/send-misbehaviour.test.ts'] },
  { id: 'F28', fault: 'compression bomb', tests: ['src/delivery/send-misbehaviour.test.ts'] },
  {
    id: 'F29',
    fault: 'huge and many headers, bad chunking, two lengths',
    tests: ['src/delivery/send-misbehaviour.test.ts'],
  },
  {
    id: 'F31',
    fault: 'connection refused or swallowed, TLS that fails',
    tests: ['src/delivery/guarded-connector.test.ts', 'src/delivery/send-tls.test.ts'],
  },
  {
    id: 'F32',
    fault: 'DNS that fails, hangs or floods, or whose servers change',
    tests: ['src/delivery/resolver.test.ts', 'src/delivery/resolver-wire.test.ts', 'src/delivery/system-dns.test.ts'],
    notHere:
      'a process asks the name servers of /etc/resolv.conf, which a scenario cannot change for it alone; the tests speak to a name server of their own over the wire',
  },
  {
    id: 'F33',
    fault: 'DNS rebinding',
    tests: ['src/delivery/guarded-connector.test.ts', 'tests/e2e/egress.test.ts'],
    notHere: 'as F32: the tests replace the resolver',
  },
  { id: 'F34', fault: 'redirects', tests: ['tests/e2e/egress.test.ts'] },
  { id: 'F35', fault: '410, webhook-delivery: disable and abort-message', tests: ['tests/e2e/retries.test.ts'] },
  {
    id: 'F36',
    fault: 'Retry-After of every kind',
    tests: ['src/delivery/retry-policy.test.ts', 'tests/e2e/retries.test.ts'],
  },
  { id: 'F37', fault: 'clock jumps by an hour' },
  { id: 'F38', fault: 'ten minutes between two workers' },
  { id: 'F40', fault: 'little memory and large payloads' },
  {
    id: 'F41',
    fault: 'poison: a secret that cannot be decrypted',
    tests: ['src/workers/desk.test.ts', 'src/queues/doorbell.test.ts'],
  },
  { id: 'F43', fault: 'SIGTERM of a worker with requests in flight', tests: ['tests/e2e/shared-lanes.test.ts'] },
  { id: 'F44', fault: 'SIGTERM of the API under load', tests: ['tests/e2e/api-shutdown.test.ts'] },
  {
    id: 'F45',
    fault: 'rolling deploy',
    notHere:
      'old and new code side by side: there is no released version yet; the scenario replaces every process by one of the same version',
  },
  {
    id: 'F46',
    fault: 'migration of a table with 10 million rows under load',
    tests: ['tests/integration/partitions.test.ts', 'tests/integration/migrate-command.test.ts'],
    notHere:
      'filling such a table takes longer than any run here; migrations wait at most a second for a lock, each in its own transaction',
  },
  {
    id: 'F47',
    fault: 'noisy neighbour with a backlog of 100,000',
    tests: ['tests/chaos/backlog.test.ts', 'tests/chaos/full-memory.test.ts'],
  },
  { id: 'F48', fault: 'an endpoint comes back with a backlog due' },
  { id: 'F49', fault: 'very many endpoints down at once' },
  {
    id: 'F50',
    fault: 'fan-out of one event to very many endpoints',
    tests: [
      'tests/chaos/fan-out-crash.test.ts',
      'tests/integration/fan-out.test.ts',
      'src/ingest/group-commit.test.ts',
    ],
  },
  { id: 'F51', fault: 'ingest beyond capacity', tests: ['src/ingest/group-commit.test.ts'] },
  { id: 'F52', fault: 'endpoint changed while deliveries wait', tests: ['tests/e2e/endpoint-changes.test.ts'] },
  { id: 'F53', fault: 'replay during live traffic', tests: ['tests/integration/replays.test.ts'] },
  { id: 'F56', fault: 'slow Postgres' },
  {
    id: 'F57',
    fault: 'Postgres killed under load with fsync',
    tests: ['tests/chaos/postgres-faults.test.ts', 'tests/chaos/queues-start.test.ts'],
  },
  { id: 'F58', fault: 'soak', tests: ['tests/integration/partitions.test.ts'] },
  {
    id: 'F59',
    fault: 'Kafka and RabbitMQ: broker restarts, poison messages',
    tests: [
      'tests/chaos/kafka.test.ts',
      'tests/chaos/kafka-outages.test.ts',
      'tests/integration/kafka-source.test.ts',
      'tests/integration/rabbitmq-consumer.test.ts',
      'tests/integration/rabbitmq-outages.test.ts',
      'tests/integration/rabbitmq-source.test.ts',
    ],
  },
  {
    id: 'F60',
    fault: 'egress proxy down',
    tests: ['src/delivery/egress-proxy.test.ts', 'src/delivery/egress-watch.test.ts'],
  },
  { id: 'F61', fault: 'a snapshot that stays open' },
  {
    id: 'F62',
    fault: 'another number of lanes',
    tests: ['tests/e2e/start-up.test.ts'],
    notHere: 'such a process never starts, so there is nothing to play',
  },
  {
    id: 'F63',
    fault: 'embedded Postgres killed, its parent killed',
    tests: ['tests/chaos/embedded-crash.test.ts', 'tests/integration/embedded-postgres.test.ts'],
    notHere: 'api and worker are one process there; the tests play it with a load and check the same invariants',
  },
];

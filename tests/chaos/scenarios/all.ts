import type { Scenario } from '../harness/scenario.ts';
import { f01 } from './f01-worker-killed-with-request-held.ts';
import { f02 } from './f02-worker-killed-after-answer.ts';
import { f03 } from './f03-worker-killed-before-request.ts';
import { f05 } from './f05-api-killed.ts';
import { f09 } from './f09-redis-away.ts';
import { f10 } from './f10-redis-restarted-empty.ts';
import { f11 } from './f11-redis-flushed.ts';
import { f12 } from './f12-redis-out-of-memory.ts';
import { f13 } from './f13-redis-evicts.ts';
import { f14 } from './f14-redis-failover.ts';
import { f15 } from './f15-redis-hangs.ts';
import { f17 } from './f17-postgres-away-long.ts';
import { f18 } from './f18-postgres-hangs.ts';
import { f19 } from './f19-pool-exhausted.ts';
import { f21 } from './f21-deadlocks.ts';
import { f22 } from './f22-disk-full.ts';
import { f25 } from './f25-misbehaving-receivers.ts';
import { f31 } from './f31-receivers-unreachable.ts';
import { f35 } from './f35-receivers-that-want-no-more.ts';
import { f36 } from './f36-retry-after.ts';
import { f37 } from './f37-clock-jumps.ts';
import { f38 } from './f38-clock-skew.ts';
import { f40 } from './f40-little-memory.ts';
import { f41 } from './f41-poison.ts';
import { f43 } from './f43-worker-stopped.ts';
import { f44 } from './f44-api-stopped.ts';
import { f45 } from './f45-rolling-restart.ts';
import { f48 } from './f48-thundering-herd.ts';
import { f49 } from './f49-many-endpoints-down.ts';
import { f50 } from './f50-fan-out.ts';
import { f51 } from './f51-overload.ts';
import { f52 } from './f52-endpoint-changed.ts';
import { f53 } from './f53-replay-beside-traffic.ts';
import { f56 } from './f56-slow-postgres.ts';
import { f57 } from './f57-postgres-killed.ts';
import { f60 } from './f60-egress-proxy.ts';
import { f61 } from './f61-open-snapshot.ts';
import { frozenWorker } from './frozen-worker.ts';
import { isolation } from './isolation.ts';
import { kafka } from './kafka.ts';
import { manyTenants } from './many-tenants.ts';
import { order } from './order.ts';
import { postgresConnections } from './postgres-connections.ts';
import { postgresFailover } from './postgres-failover.ts';
import { rabbitmq } from './rabbitmq.ts';
import { rateLimit } from './rate-limit.ts';

/** Every scenario: the rows of the fault list in their order, then what goes beyond them. */
export const scenarios: readonly Scenario[] = [
  f01,
  f02,
  f03,
  f05,
  f09,
  f10,
  f11,
  f12,
  f13,
  f14,
  f15,
  f17,
  f18,
  f19,
  f21,
  f22,
  f25,
  f31,
  f35,
  f36,
  f37,
  f38,
  f40,
  f41,
  f43,
  f44,
  f45,
  f48,
  f49,
  f50,
  f51,
  f52,
  f53,
  f56,
  f57,
  f60,
  f61,
  frozenWorker,
  isolation,
  kafka,
  manyTenants,
  order,
  postgresConnections,
  postgresFailover,
  rabbitmq,
  rateLimit,
];

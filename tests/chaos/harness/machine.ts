import { existsSync } from 'node:fs';
import { fetchKafka } from '../../support/kafka-jars.ts';
import { hasRabbitmq } from '../../support/rabbitmq-process.ts';
import { hasRedis } from '../../support/redis-process.ts';
import type { Need, Scenario } from './scenario.ts';

const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
];

/** The library that shifts a process's clock; undefined where it is not installed. */
export function faketimeLibrary(): string | undefined {
  return FAKETIME.find((path) => existsSync(path));
}

const missing: Readonly<Record<Need, () => string | null>> = {
  redis: () => (hasRedis() ? null : 'redis-server is not installed'),
  rabbitmq: () => (hasRabbitmq() ? null : 'rabbitmq-server is not installed'),
  faketime: () =>
    faketimeLibrary() === undefined ? 'libfaketime is not installed (apt-get install libfaketime)' : null,
  kafka: () => {
    const had = fetchKafka();
    return had.kind === 'there' ? null : `Kafka cannot be had: ${had.why}`;
  },
  tmpfs: () =>
    process.platform === 'linux' && process.getuid?.() === 0 ? null : 'mounting a small disk needs root on Linux',
};

/** Why the scenario cannot be played here, with this backend if one was asked for; null when it can. */
export function whyNotHere(
  { needs = [], backend: own }: Scenario,
  asked: 'redis' | 'postgres' | undefined,
): string | null {
  if (asked !== undefined && own !== undefined && own !== asked) return `it needs --backend ${own}`;
  const all: readonly Need[] = own === 'redis' || asked === 'redis' ? ['redis', ...needs] : needs;
  for (const need of all) {
    const reason = missing[need]();
    if (reason !== null) return reason;
  }
  return null;
}

/** Redis where there is one. */
export function backendFor({ backend }: Scenario, asked: 'redis' | 'postgres' | undefined): 'redis' | 'postgres' {
  return backend ?? asked ?? (hasRedis() ? 'redis' : 'postgres');
}

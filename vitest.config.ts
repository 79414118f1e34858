import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { useRunFolder } from './tests/support/run-folder.ts';
import { SkippedReporter } from './tests/support/skipped-reporter.ts';

// The processes in which files run keep what Node makes of the packages that they load, where the service keeps it too.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url));

useRunFolder();

const unit = [
  'src/**/*.test.ts',
  'clients/typescript/src/*.test.ts',
  'scripts/*.test.ts',
  'tests/bench/**/*.test.ts',
  'tests/chaos/harness/**/*.test.ts',
  'tests/architecture/**/*.test.ts',
  'tests/support/*.test.ts',
];
/**
 * What `npm test` leaves to `npm run test:all`, so that it takes minutes, not ten: servers and a browser that no npm package brings, crashes and races
 * beyond one of each guarantee, and random plays, hostile peers, heaps of rows and a reading of all sources that take most of the time. tests/architecture/guarantees.test.ts
 * holds that what is left shows every guarantee.
 */
const slow = [
  'src/workers/{lane-fairness,*.random}.test.ts',
  'src/routing/{*.random,array-consistency}.test.ts',
  'tests/architecture/dependency-rules.test.ts',
  'src/**/{hostile-*,guard-inflation}.test.ts',
  'tests/{integration,chaos}/{kafka,rabbitmq,redis-topologies}*.test.ts',
  'tests/integration/{changes-at-once,changes-refused,dead-letter-retention,egress-hold,embedded-postgres,expired-keys,hand-over,many-dead-letters}.test.ts',
  'tests/integration/{typescript-client-package,migrate-command,migration-waits,pgbouncer,rejected-rounds,reseal,restored-letters,routing-consistency,system-event-storms,system-events,waiting-replays,worker-session}.test.ts',
  'tests/e2e/!(egress|order|retries|signed-delivery).test.ts',
  'tests/chaos/!(api-crash|backlog|fault-list|worker-crash).test.ts',
];
// Not by `exclude`: a project that has one does not hear of the command line's.
const notSlow = slow.map((glob) => `!${glob}`);
/** It asks Postgres. */
const schemaAgrees = 'tests/architecture/schema-agrees.test.ts';

/** For tests that wait for signals: how long one may wait is in tests/support/patience.ts. A machine may be as slow as it likes. */
const patient = { testTimeout: 300_000, hookTimeout: 400_000 };
/** Files that bring along what they change: to load the service for each of them would cost more than most of them do. */
const inOneWorld = { isolate: false, setupFiles: 'tests/support/undo-fakes.ts' };
const onServers = {
  globalSetup: 'tests/support/global-setup.ts',
  pool: 'forks',
  ...inOneWorld,
  ...patient,
  // Most of these start processes by the dozen: more at once than two cores can do, less than would wait for each other's signals.
  maxWorkers: 3,
  sequence: { groupOrder: 2 },
} as const;

export default defineConfig({
  test: {
    reporters: [...(process.env.CI ? ['default', 'json'] : ['default']), new SkippedReporter()],
    outputFile: { json: 'tmp/test-results.json' },
    projects: [
      {
        test: {
          name: 'unit',
          include: [...unit, `!${schemaAgrees}`, ...notSlow],
          pool: 'threads',
          ...inOneWorld,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          ...patient,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['tests/integration/**/*.test.ts', schemaAgrees, ...notSlow],
          ...onServers,
        },
      },
      { test: { name: 'e2e', include: ['tests/e2e/*.test.ts', ...notSlow], ...onServers } },
      { test: { name: 'chaos', include: ['tests/chaos/*.test.ts', ...notSlow], ...onServers } },
      { test: { name: 'slow', include: slow, ...onServers } },
    ],
  },
});

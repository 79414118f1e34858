import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SkippedReporter } from './tests/support/skipped-reporter.ts';

// The processes in which files run keep what Node makes of the packages that they load, where the service keeps it too.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url));

const unit = [
  'src/**/*.test.ts',
  'tests/bench/**/*.test.ts',
  'tests/chaos/harness/**/*.test.ts',
  'tests/architecture/**/*.test.ts',
];
/** It asks Postgres. */
const schemaAgrees = 'tests/architecture/schema-agrees.test.ts';

/** For tests that wait for signals: how long one may wait is in tests/support/patience.ts. A machine may be as slow as it likes. */
const patient = { testTimeout: 300_000, hookTimeout: 400_000 };
/** Files that bring along what they change: to load the service for each of them would cost more than most of them do. */
const inOneWorld = { isolate: false, setupFiles: 'tests/support/undo-fakes.ts' };
const onServers = { globalSetup: 'tests/support/global-setup.ts', pool: 'forks', ...patient } as const;

export default defineConfig({
  test: {
    reporters: [...(process.env.CI ? ['default', 'json'] : ['default']), new SkippedReporter()],
    outputFile: { json: 'tmp/test-results.json' },
    projects: [
      {
        test: {
          name: 'unit',
          include: unit,
          exclude: [schemaAgrees],
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
          include: ['tests/integration/**/*.test.ts', schemaAgrees],
          ...onServers,
          ...inOneWorld,
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Each of these starts processes by the dozen: two at once are what two cores can do.
        test: {
          name: 'processes',
          include: ['tests/{e2e,chaos}/*.test.ts'],
          ...onServers,
          ...inOneWorld,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

import { defineConfig } from 'vitest/config';
import { SkippedReporter } from './tests/support/skipped-reporter.ts';

export default defineConfig({
  test: {
    globalSetup: ['tests/support/global-setup.ts'],
    include: ['src/**/*.test.ts', 'tests/{architecture,integration,e2e,chaos,bench}/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: [...(process.env.CI ? ['default', 'json'] : ['default']), new SkippedReporter()],
    outputFile: { json: 'tmp/test-results.json' },
  },
});

import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';
import { SkippedReporter } from '../support/skipped-reporter.ts';

test('a run says at its end what it did not run for want of a broker, and why', () => {
  let said = '';
  const reporter = new SkippedReporter((text) => {
    said += text;
  });
  const skipped = (note?: string) => ({ result: () => ({ state: 'skipped', note, errors: undefined }) as const });
  const moduleOf = (...tests: ReturnType<typeof skipped>[]) => ({ children: { allTests: () => tests } });
  const why = 'Kafka cannot be had: java is not installed';
  reporter.onTestRunEnd([
    moduleOf(skipped(why), skipped(why)),
    moduleOf(skipped()),
    moduleOf(skipped(why), skipped('rabbitmq-server is not installed')),
  ] as Parameters<SkippedReporter['onTestRunEnd']>[0]);
  expect(said).toBe(`\n NOT RUN  3 tests: ${why}\n\n NOT RUN  1 tests: rabbitmq-server is not installed\n`);
  expect(config.test?.reporters).toContainEqual(expect.any(SkippedReporter));
});

import type { TestContext } from 'vitest';
import { fetchKafka } from './kafka-jars.ts';

/** Skips a test, saying why, on a machine that cannot run Kafka; in CI it fails there instead. */
export function requireKafka(context: TestContext): void {
  const jars = fetchKafka();
  if (jars.kind === 'there') return;
  const why = `Kafka cannot be had: ${jars.why}`;
  if (process.env.CI) throw new Error(`${why}, and CI must run the tests that need it`);
  context.skip(why);
}

export function hasKafka(): boolean {
  return fetchKafka().kind === 'there';
}

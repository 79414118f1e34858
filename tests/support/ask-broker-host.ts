import { inject } from 'vitest';
import type { SharedBrokers } from './broker-host.ts';

/** Where a broker is that files share; it is started if it does not run. @throws Error with what keeps it from starting */
export async function askBrokerHost<Path extends keyof SharedBrokers>(path: Path): Promise<SharedBrokers[Path]> {
  const answer = await fetch(`${inject('brokerHost')}${path}`);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`The broker that the test files share does not start: ${text}`);
  return JSON.parse(text);
}

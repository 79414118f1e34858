import { expect, test } from 'vitest';
import { parseLoopDelay } from './loop-delay.ts';

test('the delay of the event loop is read from the metrics, and is not known where they do not have it', () => {
  const metrics = `# TYPE posthorn_event_loop_delay_seconds gauge
posthorn_event_loop_delay_seconds{quantile="0.5"} 0.001
posthorn_event_loop_delay_seconds{quantile="0.99"} 0.0125
posthorn_event_loop_delay_seconds{quantile="1"} 0.25
`;
  expect(parseLoopDelay(metrics)).toEqual({ p99Ms: 12.5, maxMs: 250 });
  expect(parseLoopDelay('posthorn_other 1\n')).toBeNull();
});

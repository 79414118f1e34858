import { Replayer, type ReplayerOptions } from '../../src/workers/replayer.ts';
import { TEST_LANES } from './test-server.ts';

/** Lets replays go as far as they can without any delivery being made. */
export async function queueReplays(replayer: Pick<Replayer, 'runOnce'>): Promise<void> {
  while ((await replayer.runOnce()) === 'moved');
}

/** A replayer that no worker runs, and that wakes nobody. What fails there fails whoever runs it. */
export function replayerOf(
  pool: ReplayerOptions['pool'],
  more: Partial<Omit<ReplayerOptions, 'pool' | 'lanes'>> = {},
): Replayer {
  const onFailure = (error: unknown) => {
    throw error;
  };
  return new Replayer({ pool, lanes: TEST_LANES, ringEndpoints: () => {}, onFailure, ...more });
}

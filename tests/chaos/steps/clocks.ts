import { faketimeLibrary } from '../harness/machine.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';
import { start } from './processes.ts';

/** The process at this place comes back with a clock that is wrong; the clock that measures durations is left alone. */
export function clockAt(role: 'api' | 'worker', place: number, shift: string): Step {
  return step(`the clock of ${role} ${place} is ${shift} off`, async (play) => {
    const crew = role === 'api' ? play.apis : play.workers;
    await crew.end(place, 'SIGTERM');
    const env = { LD_PRELOAD: faketimeLibrary()!, FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    await start(role, place, env).run(play);
  });
}

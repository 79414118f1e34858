import { eventually } from '../../support/eventually.ts';
import type { Behaviour } from '../harness/behaviour.ts';
import type { Play } from '../harness/play.ts';
import type { ReceiverReport } from '../harness/receiver-protocol.ts';
import type { Step } from '../harness/scenario.ts';

/** A step with a line of its own. */
export function step(what: string, run: (play: Play) => Promise<void>): Step {
  return { what, run };
}

/** The load goes on meanwhile. */
export function wait(ms: number): Step {
  return { what: '', run: (play) => play.pause(ms) };
}

/** Waits until so many more events are acknowledged. */
export function accepted(count: number): Step {
  return {
    what: '',
    run: async ({ history }) => {
      const wanted = history.acknowledged + count;
      await eventually(
        async () => history.acknowledged,
        (now) => now >= wanted,
        60_000,
      );
    },
  };
}

/** Waits until the receiver's counts are so. */
export function received(satisfies: (report: ReceiverReport) => boolean, timeoutMs = 30_000): Step {
  return {
    what: '',
    run: async ({ receiver }) => void (await eventually(() => receiver.report(), satisfies, timeoutMs)),
  };
}

/** From now on these endpoints (all without a list) behave like this. */
export function behave(behaviour: Behaviour, endpoints?: readonly number[]): Step {
  const run = async (play: Play) => {
    for (const endpoint of endpoints ?? play.endpoints.keys()) play.behave(endpoint, behaviour);
    await play.receiver.report();
  };
  return { what: '', run };
}

/** Posts a few events and waits for their acknowledgement, in scenarios without a steady load. */
export function post(count: number, perSecond = 1_000, batch = 1): Step {
  const run = async (play: Play) => {
    const producer = play.startLoad({ perSecond, events: count, batch, slots: 4 });
    await producer!.done;
  };
  return { what: '', run };
}

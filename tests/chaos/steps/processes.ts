import { laneAtWork, ownerAmong, takenOver } from '../../support/lane-owner.ts';
import type { Crew } from '../harness/crew.ts';
import { verdict } from '../harness/judge.ts';
import type { Play } from '../harness/play.ts';
import type { Step } from '../harness/scenario.ts';
import { step } from './flow.ts';

const crewOf = (play: Play, role: 'api' | 'worker'): Crew => (role === 'api' ? play.apis : play.workers);

/** kill -9, and a start after a while, as a supervisor would; at the heal without it. What is in flight in a worker may be repeated. */
export function kill(role: 'api' | 'worker', place = 0, restartAfterMs?: number): Step {
  return step(`kill -9 ${role} ${place}`, async (play) => {
    if (role === 'worker') play.interruptions++;
    await crewOf(play, role).end(place, 'SIGKILL');
    if (restartAfterMs === undefined) return;
    await play.pause(restartAfterMs);
    await crewOf(play, role).startAt(place);
    play.markHealed();
  });
}

/** kill -9 of the worker that has the one lane with work, and a start in its place: another has to take the lane over. */
export function killOwner(restartAfterMs: number): Step {
  return step('kill -9 of the worker that has the lane', async (play) => {
    const { workers } = play;
    const ask = play.query.bind(play);
    const owner = await ownerAmong(workers.living);
    const place = workers.placeOf(owner);
    play.interruptions++;
    // Before: it may be followed at once, where its last heartbeat was late.
    const before = await laneAtWork(ask);
    await workers.end(place, 'SIGKILL');
    // While there is work: whoever has none left gives the lane back.
    const taken = takenOver(ask, before).catch(() => null);
    await play.pause(restartAfterMs);
    await workers.startAt(place);
    play.markHealed();
    const after = await taken;
    const text = `lane ${before.lane} from epoch ${before.epoch} to ${after?.epoch ?? 'nobody else'}`;
    play.found.push(verdict('a lane whose owner was killed goes to another', after === null ? [text] : [], text));
  });
}

/** SIGTERM, which has to end in exit code 0; then a start. */
export function restart(role: 'api' | 'worker', place = 0): Step {
  return step(`SIGTERM ${role} ${place}, then start`, async (play) => {
    const crew = crewOf(play, role);
    const exit = await crew.end(place, 'SIGTERM');
    const fault = exit?.code === 0 ? [] : [`${role} ${place} ended with ${exit?.signal ?? exit?.code}`];
    play.found.push(verdict(`SIGTERM of ${role} ${place} ends with exit code 0`, fault, 'exit code 0'));
    await crew.startAt(place);
    play.markHealed();
  });
}

export function start(role: 'api' | 'worker', place: number, env?: Readonly<Record<string, string>>): Step {
  return step(`start ${role} ${place}`, async (play) => {
    await crewOf(play, role).startAt(place, env);
    play.markHealed();
  });
}

/** Holds a process still for a while: it hangs, its sockets stay open. */
export function freeze(role: 'api' | 'worker', place: number, forMs: number): Step {
  return step(`SIGSTOP ${role} ${place} for ${forMs / 1000} s`, async (play) => {
    const process = crewOf(play, role).at(place);
    if (process === null) return;
    // Its lanes go to another meanwhile, and what it had under way with them.
    if (role === 'worker') play.interruptions++;
    process.signal('SIGSTOP');
    await play.pause(forMs);
    process.signal('SIGCONT');
    play.markHealed();
  });
}

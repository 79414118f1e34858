import type { MetricKit } from './metric-kit.ts';

/** What a process knows of itself at any moment, and what it means. */
const STATES = {
  lanes_owned: 'Lanes that this process holds.',
  requests_in_flight: 'Requests to receivers that are under way.',
  deliveries_held: 'Deliveries in memory: waiting, under way, or not written down yet.',
  held_bytes: 'Bytes of the bodies of these.',
  attempts_unsettled: 'Attempts that have ended and are not written down yet.',
  late_seconds:
    'For how long this worker keeps deliveries waiting by itself: for lack of slots, memory or time. What waits for limits of its endpoint, or because its tenant has its share, does not count, nor what waits in a lane that is to be given back, for the first 125 seconds.',
  draining_seconds:
    'For how long a lane has been about to be given back, to a worker that has come or because this one stops: what falls due in it waits until the requests under way have ended, as long as the slowest receiver takes.',
  stalled_seconds: 'For how long a round of work has been under way; /healthz fails at 12.',
  neglected_seconds: 'For how long a lane has had due work and no owner; /healthz fails at 12.',
  commit_waiting_events: 'Events that wait for their commit.',
  commit_waiting_bytes: 'Bytes of these.',
  clock_difference_seconds:
    'By how much Postgres’s clock, by which everything is signed and dated, is ahead of this host’s; negative where it is behind.',
  queue_refuses_writes:
    'Alarm: 1 while Redis refuses writes (out of memory, read-only); the sweeper finds the work meanwhile.',
} as const;

export type ProcessState = keyof typeof STATES;
export type StateReaders = Partial<Record<ProcessState, () => number>>;

/** Gauges of the process, read when somebody looks. Those that nobody gave a reader, as those of lanes without the worker role, are absent. */
export class ProcessStates {
  readonly #readers: StateReaders = {};

  constructor(kit: MetricKit) {
    for (const [name, help] of Object.entries(STATES))
      kit.reading(name, help, () => this.#readers[name as ProcessState]?.());
  }

  add(readers: StateReaders): void {
    Object.assign(this.#readers, readers);
  }
}

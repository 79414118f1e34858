import { setTimeout as sleep } from 'node:timers/promises';

/** What BullMQ may take to end its work in a queue. */
const FAREWELL_MS = 500;

/** Waits for a listener to close, but not for a Redis that is away, which BullMQ would do for ever and the deliveries pay for. */
export async function farewell(closing: Promise<void> | undefined): Promise<void> {
  await Promise.race([closing, sleep(FAREWELL_MS, undefined, { ref: false })]);
}

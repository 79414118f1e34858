/**
 * How long a test waits for what must come, in ms. Tests wait for signals, so that this is how late a broken guarantee is noticed and not
 * how fast a machine has to be. Less than the minute after which the last of our backstops looks: what only that one finds came too late.
 */
export const PATIENCE_MS = 50_000;

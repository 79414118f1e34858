import pino, { type Logger } from 'pino';

/**
 * JSON lines on standard output. Lines are gathered and written in blocks, off the hot path; `flush` before the process ends.
 */
export function createLogger(level: string): { log: Logger; flush: () => void } {
  const destination = pino.destination({ fd: 1, sync: false, minLength: 8_192, periodicFlush: 200 });
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const flush = () => {
    try {
      destination.flushSync();
    } catch {
      // The reader of our output is gone: there is nobody left to tell.
    }
  };
  return { log, flush };
}

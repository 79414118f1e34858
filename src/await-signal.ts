import { isatty } from 'node:tty';
import type { Ending } from './installation.ts';

/** What an operator, a supervisor or a terminal asks of the process. */
export interface Stopping {
  readonly asked: Promise<Ending>;
  /** Aborted by the same, with the ending as its reason. */
  readonly signal: AbortSignal;
}

/**
 * A terminal signals the whole process group, and npm passes the signal on: the second of a pair must not cut the stop short.
 * SIGHUP says that the terminal is gone, and ends us as SIGTERM does. Under nohup it must not, and Node has forgotten by now that it was ignored; but nohup
 * leaves the process no terminal, and without one nobody hangs up. Until this is called main.js sees to that.
 */
export function awaitSignal(): Stopping {
  const stop = new AbortController();
  const hasTerminal = [0, 1, 2].some((fd) => isatty(fd));
  const asked = new Promise<Ending>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (signal === 'SIGHUP' && !hasTerminal) return;
        const ending = { text: signal, exitCode: 0 };
        resolve(ending);
        stop.abort(ending);
      });
    }
  });
  return { asked, signal: stop.signal };
}

import type { Logger } from 'pino';
import { LOG_EVENTS, type LogEventName, type LogFields } from './log-events.ts';
import { OnceASecond } from './once-a-second.ts';

/** Writes the lines of the log, each at the level of its event. */
export class LineTeller {
  readonly #log: Logger;
  readonly #quiet = new OnceASecond();

  constructor(log: Logger) {
    this.#log = log;
  }

  tell<Name extends LogEventName>(event: Name, details: LogFields<Name>): void {
    this.#log[LOG_EVENTS[event].level]({ event, ...details });
  }

  /**
   * For what may come many times a second.
   * @param key of what one line a second is enough
   * @returns whether it was written
   */
  throttled<Name extends LogEventName>(event: Name, details: LogFields<Name>, key: string = event): boolean {
    const may = this.#quiet.may(key);
    if (may) this.tell(event, details);
    return may;
  }
}

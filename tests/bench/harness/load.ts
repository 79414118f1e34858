import type { ClosedLoad, LoadCommand, LoadCounts, LoadMessage, LoadSetup } from './load-protocol.ts';
import { Talk } from './talk.ts';

/** The load's process, as the harness sees it. */
export class Load {
  readonly #talk = new Talk<LoadCommand, LoadMessage>('./load-main.ts');

  static async open(setup: LoadSetup): Promise<Load> {
    const load = new Load();
    await load.#talk.ask({ kind: 'setup', ...setup }, 'ready');
    return load;
  }

  closed(load: ClosedLoad): void {
    this.#talk.say({ kind: 'closed', ...load });
  }

  /** Posts so many events and no more; resolves when all are accepted. */
  async postAll(load: ClosedLoad & { readonly events: number }): Promise<LoadCounts> {
    return (await this.#talk.ask({ kind: 'closed', ...load }, 'stopped')).counts;
  }

  open(eventsPerSecond: number): void {
    this.#talk.say({ kind: 'open', eventsPerSecond });
  }

  delivered(deliveries: number): void {
    this.#talk.say({ kind: 'delivered', deliveries });
  }

  async counts(): Promise<LoadCounts> {
    return (await this.#talk.ask({ kind: 'tell' }, 'counts')).counts;
  }

  /** Resolves when all that was posted is accepted. */
  async stop(): Promise<LoadCounts> {
    return (await this.#talk.ask({ kind: 'stop' }, 'stopped')).counts;
  }

  async times(): Promise<{ readonly intended: Float64Array; readonly accepted: Float64Array }> {
    return this.#talk.ask({ kind: 'times' }, 'times');
  }

  end(): Promise<void> {
    return this.#talk.end();
  }
}

import type { SinkBehaviour, SinkCommand, SinkCounts, SinkMessage, SinkSetup } from './sink-protocol.ts';
import { Talk } from './talk.ts';

/** The sink's process, as the harness sees it. */
export class Sink {
  readonly #talk = new Talk<SinkCommand, SinkMessage>('./sink-main.ts');
  /** Told of the number of deliveries some fifty times a second, as long as it grows. */
  onProgress: (delivered: number) => void = () => {};
  delivered = 0;
  ports: readonly number[] = [];

  static async open(setup: SinkSetup): Promise<Sink> {
    const sink = new Sink();
    sink.#talk.listen((message) => {
      if (message.kind !== 'progress') return;
      sink.delivered = message.delivered;
      sink.onProgress(message.delivered);
    });
    sink.ports = (await sink.#talk.ask({ kind: 'setup', ...setup }, 'ready')).ports;
    return sink;
  }

  trust(secrets: Readonly<Record<number, string>>): void {
    this.#talk.say({ kind: 'trust', secrets });
  }

  behave(behaviour: SinkBehaviour): void {
    this.#talk.say({ kind: 'behave', behaviour });
  }

  async counts(): Promise<SinkCounts> {
    return (await this.#talk.ask({ kind: 'tell' }, 'counts')).counts;
  }

  async times(): Promise<Float64Array> {
    return (await this.#talk.ask({ kind: 'times' }, 'times')).received;
  }

  end(): Promise<void> {
    return this.#talk.end();
  }
}

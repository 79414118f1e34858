import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of the harness, and the messages between the two. Typed arrays pass as they are. */
export class Talk<Command extends object, Message extends { readonly kind: string }> {
  readonly #child: ChildProcess;
  readonly #name: string;
  #listener: (message: Message) => void = () => {};
  #isEnding = false;
  readonly #ended: Promise<never>;

  /** @param file beside this one */
  constructor(file: string) {
    this.#name = file;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.setMaxListeners(100);
    this.#child.on('message', (message: Message) => this.#listener(message));
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`${this.#name} ended (${signal ?? `exit code ${code}`})`);
    });
    this.#ended.catch(() => {});
  }

  /** Told of every message; one listener at a time. */
  listen(listener: (message: Message) => void): void {
    this.#listener = listener;
  }

  say(command: Command): void {
    // What is said while it ends is of no interest; that it ended comes out through whoever waits for it.
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  /** Says something and waits for the next message of that kind. @throws Error when the process ends instead. */
  async ask<Kind extends Message['kind']>(command: Command, kind: Kind): Promise<Extract<Message, { kind: Kind }>> {
    const { promise, resolve } = Promise.withResolvers<Extract<Message, { kind: Kind }>>();
    const listener = (message: Message) => {
      if (message.kind === kind) resolve(message as Extract<Message, { kind: Kind }>);
    };
    this.#child.on('message', listener);
    this.say(command);
    return Promise.race([promise, this.#ended]).finally(() => this.#child.off('message', listener));
  }

  async end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended.catch(() => {});
  }
}

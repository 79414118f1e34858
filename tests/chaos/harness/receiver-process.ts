import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Behaviour } from './behaviour.ts';
import type { ReceiverCommand, ReceiverReport } from './receiver-protocol.ts';

const MAIN = fileURLToPath(new URL('./receiver-main.ts', import.meta.url));

/** The receiver, seen from the harness. Endpoints are numbers: the path of the request is `/<number>`. */
export class ReceiverProcess {
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (report: ReceiverReport) => void>();
  #questions = 0;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.pid = child.pid!;
    this.port = port;
    child.on('message', (report: ReceiverReport) => {
      this.#waiting.get(report.question)?.(report);
      this.#waiting.delete(report.question);
    });
  }

  static async start(ledgerPath: string, seed: number): Promise<ReceiverProcess> {
    const child = fork(MAIN, [ledgerPath, String(seed)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [report] = (await once(child, 'message')) as [ReceiverReport];
    return new ReceiverProcess(child, report.port);
  }

  trust(endpoint: number, tenant: string, secrets: readonly string[]): void {
    this.#say({ kind: 'trust', endpoint, tenant, secrets });
  }

  behave(endpoint: number, behaviour: Behaviour): void {
    this.#say({ kind: 'behave', endpoint, behaviour });
  }

  release(endpoint: number): void {
    this.#say({ kind: 'release', endpoint });
  }

  /** Its counts; everything that they count is in the ledger file by then, and every command said before was obeyed. */
  report(): Promise<ReceiverReport> {
    const question = ++this.#questions;
    return new Promise((resolve) => {
      this.#waiting.set(question, resolve);
      this.#say({ kind: 'tell', question });
    });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #say(command: ReceiverCommand): void {
    this.#child.send(command);
  }
}

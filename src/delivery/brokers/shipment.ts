import { passwordOf } from '../../domain/destination.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { type Failure, unreachable } from '../classify.ts';
import type { WheelEntry } from '../deadline-wheel.ts';
import type { BrokerMessage } from '../prepare.ts';

/** What a broker made of one message, or why it did not get to it. */
export type BrokerReport =
  /** `receipt` says where the message is. */
  | { readonly kind: 'delivered'; readonly receipt: Readonly<Record<string, string>> }
  /** It will not take this message as things are: `code` is the broker's own, `detail` one line for people. */
  | { readonly kind: 'rejected'; readonly code: string; readonly detail: string }
  | Failure;

export interface ShipmentHost<Message extends BrokerMessage> {
  /** It has come to its end: its deadline is no longer of interest. */
  ended(shipment: Shipment<Message>): void;
  /** Nobody wants it to arrive any more. */
  abandoned(): void;
  /** It was not answered in time. @returns what it waited for, for people. */
  late(shipment: Shipment<Message>): string;
}

const NO_BODY = new Uint8Array(0);

/**
 * One message under way: the entry in the deadline wheel, and the making of the outcome. Reports once, or not at all once abandoned. When it is
 * over it holds the message no more: a broker that never answers may keep whoever waits for its answer for as long as the connection.
 */
export class Shipment<Message extends BrokerMessage = BrokerMessage> implements WheelEntry {
  deadlineAt = 0;
  wheelSlot = -1;
  wheelIndex = -1;
  readonly startedAt = performance.now();
  readonly #host: ShipmentHost<Message>;
  #message: Message | null;
  #onOutcome: ((outcome: Outcome) => void) | null;

  constructor(host: ShipmentHost<Message>, message: Message, onOutcome: (outcome: Outcome) => void) {
    this.#host = host;
    this.#message = message;
    this.#onOutcome = onOutcome;
  }

  /** Whether nobody waits for it any more: then it is not to be sent, and there is no message. */
  get isOver(): boolean {
    return this.#onOutcome === null;
  }

  /** @throws Error when the shipment is over */
  get message(): Message {
    if (this.#message === null) throw new Error('the shipment is over');
    return this.#message;
  }

  /** Never to be called within the call of `send`. */
  end(report: BrokerReport): void {
    const onOutcome = this.#onOutcome;
    if (onOutcome === null) return;
    const outcome = this.#outcomeOf(report);
    this.#finish();
    onOutcome(outcome);
  }

  /** Gives up without an outcome. */
  abandon(): void {
    if (this.#onOutcome === null) return;
    this.#finish();
    this.#host.abandoned();
  }

  onDeadline(): void {
    const seconds = this.message.timeoutMs / 1000;
    this.end(unreachable('timeout', `${this.#host.late(this)} within ${seconds} s`));
  }

  #finish(): void {
    this.#onOutcome = null;
    this.#message = null;
    this.#host.ended(this);
  }

  #outcomeOf(report: BrokerReport): Outcome {
    const timing = { dnsMs: null, connectMs: null, firstByteMs: null, totalMs: performance.now() - this.startedAt };
    switch (report.kind) {
      case 'delivered':
        return { kind: 'delivered', response: responseOf(report.receipt), timing };
      case 'rejected':
        return {
          kind: 'rejected',
          response: responseOf({ code: report.code }),
          detail: this.#shown(report.detail),
          timing,
        };
      case 'unreachable':
      case 'blocked':
        return { ...report, detail: this.#shown(report.detail), timing };
    }
  }

  /** Details may hold what a broker said, and a broker knows the password. */
  #shown(detail: string): string {
    const password = passwordOf(this.message.destination);
    return password === null || password === '' ? detail : detail.replaceAll(password, '***');
  }
}

function responseOf(headers: Readonly<Record<string, string>>) {
  return { status: null, headers, body: NO_BODY, truncated: false };
}

import type { OrderPlace } from '../store/mailbox.ts';
import type { Desk } from './desk.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Aftermath } from './key-lines.ts';
import type { Letter } from './letter-queue.ts';
import type { PendingTableWrites } from './pending-table-writes.ts';
import type { RowsInMemory } from './rows-in-memory.ts';

export interface DeskClearerOptions {
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly inMemory: RowsInMemory;
  readonly tableWrites: PendingTableWrites;
  readonly dispatcher: Pick<Dispatcher, 'offer' | 'withdraw'>;
  /** Asks for a round: there are rows to park or to read. */
  readonly requestRound: () => void;
}

/** What waited at a desk: what could have gone next, and what stood behind others of its key. */
interface Cleared {
  readonly next: readonly Letter[];
  readonly behind: readonly Letter[];
}

/** Takes letters off desks otherwise than by sending them, and says what follows for those that stood behind them. */
export class DeskClearer {
  readonly #options: DeskClearerOptions;

  constructor(options: DeskClearerOptions) {
    this.#options = options;
  }

  /** Puts what waits at a desk back into the table. */
  shelve(desk: Desk): void {
    const { tableWrites, requestRound } = this.#options;
    const { next, behind } = this.clear(desk);
    tableWrites.park(next.map(({ due }) => due));
    tableWrites.setBehind(behind.map(({ due }) => due));
    // A row that had a predecessor when it was read may have been parked as standing behind it, with a flood. Nobody would find it there, so
    // the table is asked who is next. A row that was first when it was read was not parked so.
    for (const { due } of next)
      if (due.order !== null && due.order.behindSeq !== null) tableWrites.ask(desk.num, due.order.key);
    desk.markParked();
    requestRound();
  }

  /** Lets go of what waits at a desk. */
  clear(desk: Desk): Cleared {
    const next = desk.waiting.remove();
    const behind = desk.lines.takeWaiting();
    for (const { due } of next) if (due.order !== null) desk.lines.left(due.order);
    this.#options.dispatcher.withdraw(desk);
    this.forget([...next, ...behind]);
    return { next, behind };
  }

  /** Lets go of what is gone from the mailbox. */
  dropGone(desk: Desk, gone: ReadonlySet<Letter>): void {
    const letters = desk.waiting.remove((each) => gone.has(each));
    this.forget(letters);
    // A dead letter whose redrive was withdrawn is gone, too, and its key waits for a person again: the table knows.
    for (const { due } of letters)
      if (due.order !== null) this.follow(desk, due.order, { ...desk.lines.left(due.order), asksTable: true });
  }

  forget(letters: readonly Letter[]): void {
    for (const { due } of letters) this.#options.inMemory.letGo(due);
  }

  /** What follows for those of a key when one of them has ended or left. */
  follow(desk: Desk, { key }: OrderPlace, { freed, behind, asksTable }: Aftermath): void {
    const { nowMs, tableWrites, dispatcher, requestRound } = this.#options;
    this.forget(behind);
    tableWrites.setBehind(behind.map(({ due }) => due));
    if (freed !== null) {
      desk.waiting.push(freed);
      if (desk.isOpen(nowMs())) dispatcher.offer(desk);
      else this.shelve(desk);
    }
    if (asksTable) tableWrites.ask(desk.num, key);
    if (asksTable || behind.length > 0) requestRound();
  }
}

import type { OrderPlace } from '../store/mailbox.ts';
import type { Letter } from './letter-queue.ts';

/**
 * `go`: nothing is before the row. `wait`: its predecessor is in memory too. `behind`: its predecessor is not, so that the row goes back to
 * the table.
 */
export type Standing = 'go' | 'wait' | 'behind';

export interface Aftermath {
  /** The next letter, which may go now; null without one. */
  readonly freed: Letter | null;
  /** Letters that go back to the table. */
  readonly behind: readonly Letter[];
  /** Whether the table must be asked who is next. */
  readonly asksTable: boolean;
}

interface Member {
  readonly letter: Letter;
  readonly seq: number;
  /** The seq of its predecessor; null when none is left. */
  behindSeq: number | null;
  /** Whether it was let go: it waits for a slot, is under way, or its attempt is being written. */
  isGoing: boolean;
}

const NOTHING: Aftermath = { freed: null, behind: [], asksTable: false };

/**
 * The ordered deliveries of one endpoint that are in memory: a line for each key, of which one letter at a time may go. The next may go when
 * its predecessor has ended and that is written. The order is the table's: a letter knows its predecessor there, so that it cannot overtake
 * a row that is not in memory.
 */
export class KeyLines {
  /** By key; each line in the order of `seq`. */
  readonly #lines = new Map<number, Member[]>();
  /** Keys whose line lacks a letter that comes before others of it: see `passedOver`. */
  readonly #broken = new Set<number>();
  #waiting = 0;

  /** Letters that may not be sent yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Admits a letter, unless its key is paused or its predecessor is not here. */
  admit(letter: Letter, { key, seq, behindSeq, isPaused }: OrderPlace): Standing {
    if (isPaused) return 'behind';
    const line = this.#lines.get(key) ?? [];
    const isFollowing = line.some((member) => member.seq === behindSeq) && !this.#broken.has(key);
    if (behindSeq !== null && !isFollowing) return 'behind';
    const after = line.findIndex((member) => member.seq > seq);
    line.splice(after === -1 ? line.length : after, 0, { letter, seq, behindSeq, isGoing: false });
    this.#lines.set(key, line);
    this.#waiting++;
    const next = nextOf(line);
    if (next?.letter !== letter) return 'wait';
    this.#begin(next);
    return 'go';
  }

  /** One letter has ended for good, or its row is gone from the table. */
  ended({ key, seq }: OrderPlace): Aftermath {
    const ended = this.#leave(key, seq);
    const line = this.#lines.get(key);
    if (line === undefined) return { ...NOTHING, asksTable: true };
    if (ended !== undefined)
      for (const member of line) if (member.behindSeq === seq) member.behindSeq = ended.behindSeq;
    return { ...NOTHING, freed: this.#letGo(line) };
  }

  /**
   * One letter will be retried later or left memory: all waiting letters of the key go back to the table, which knows who is next. That
   * includes one with a lower seq that became visible late: nothing else would wake it.
   */
  left({ key, seq }: OrderPlace): Aftermath {
    if (this.#leave(key, seq) === undefined) return NOTHING;
    return { ...NOTHING, behind: this.#takeFrom(key) };
  }

  /**
   * A row of this key was read but not admitted. If later letters are already here, they would overtake it: those waiting are returned, and
   * until the line is empty only a row without predecessor is admitted.
   * @returns the letters that go back to the table
   */
  passedOver({ key, seq }: OrderPlace): readonly Letter[] {
    const isLate = this.#lines.get(key)?.some((member) => member.seq > seq) ?? false;
    if (!isLate) return [];
    const taken = this.#takeFrom(key);
    if (this.#lines.has(key)) this.#broken.add(key);
    return taken;
  }

  /** Takes out all letters that may not be sent yet. */
  takeWaiting(): Letter[] {
    return [...this.#lines.keys()].flatMap((key) => this.#takeFrom(key));
  }

  #letGo(line: readonly Member[]): Letter | null {
    const next = nextOf(line);
    if (next === null) return null;
    this.#begin(next);
    return next.letter;
  }

  #begin(member: Member): void {
    member.isGoing = true;
    this.#waiting--;
  }

  #leave(key: number, seq: number): Member | undefined {
    const line = this.#lines.get(key);
    const index = line?.findIndex((member) => member.seq === seq) ?? -1;
    if (line === undefined || index === -1) return undefined;
    const [member] = line.splice(index, 1);
    if (member?.isGoing === false) this.#waiting--;
    this.#keep(key, line);
    return member;
  }

  /** Takes out those of one key. */
  #takeFrom(key: number): Letter[] {
    const line = this.#lines.get(key) ?? [];
    const taken: Member[] = [];
    const kept: Member[] = [];
    for (const member of line) (member.isGoing ? kept : taken).push(member);
    this.#waiting -= taken.length;
    this.#keep(key, kept);
    return taken.map(({ letter }) => letter);
  }

  #keep(key: number, line: Member[]): void {
    if (line.length > 0) this.#lines.set(key, line);
    else {
      this.#lines.delete(key);
      this.#broken.delete(key);
    }
  }
}

/** The first letter of the line, if none of the line is going and it has no predecessor; else null. */
function nextOf(line: readonly Member[]): Member | null {
  const [first] = line;
  if (first === undefined || first.behindSeq !== null || line.some(({ isGoing }) => isGoing)) return null;
  return first;
}

import type { OrderPlace } from '../store/mailbox.ts';
import type { Letter } from './letter-queue.ts';

/** `go`: nothing is before it. `wait`: the one before it is in memory too. `behind`: it is not, so that the row goes back to the table. */
export type Standing = 'go' | 'wait' | 'behind';

export interface Aftermath {
  /** The next one, which may go now. */
  readonly freed: Letter | null;
  /** Those that go back to the table. */
  readonly behind: readonly Letter[];
  /** Whether the table must be asked who is next. */
  readonly asksTable: boolean;
}

interface Member {
  readonly letter: Letter;
  readonly seq: number;
  /** The number of the row before it, as far as one is left. */
  behindSeq: number | null;
  /** Whether it was let go: it waits to be sent, is under way, or is being written down. */
  isGoing: boolean;
}

const NOTHING: Aftermath = { freed: null, behind: [], asksTable: false };

/**
 * The ordered deliveries of one endpoint that are in memory: a line for each key, of which one at a time may go. The next one may go when
 * the one before it has ended and that is written. The table's own order decides: a letter knows the row that was just before it, so that
 * what is not in memory cannot be overtaken.
 */
export class KeyLines {
  /** Each in the order of the numbers. */
  readonly #lines = new Map<number, Member[]>();
  /** Keys whose line lacks one that comes before others of it: see `passedOver`. */
  readonly #broken = new Set<number>();
  #waiting = 0;

  /** Letters that may not be sent yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a letter in, unless it stands `behind` one that is not here. */
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

  /** One of the line has ended for good, or is gone from the table. */
  ended({ key, seq }: OrderPlace): Aftermath {
    const ended = this.#leave(key, seq);
    const line = this.#lines.get(key);
    if (line === undefined) return { ...NOTHING, asksTable: true };
    if (ended !== undefined)
      for (const member of line) if (member.behindSeq === seq) member.behindSeq = ended.behindSeq;
    return { ...NOTHING, freed: this.#letGo(line) };
  }

  /**
   * One of the line will be tried again later, or left memory: all that wait go back to the table, which knows who is next. One of a lower number that
   * became visible late is among them: it waits for the end of this one, of which nobody would tell it.
   */
  left({ key, seq }: OrderPlace): Aftermath {
    if (this.#leave(key, seq) === undefined) return NOTHING;
    return { ...NOTHING, behind: this.#takeFrom(key) };
  }

  /**
   * A row was read that is not taken in, or stands behind one that is not here. Where it became visible late, others that follow it are here already: they would overtake it, one after the
   * other, and so would those that are still to come. Then the line takes nobody any more but who is the first of the table, until it is empty and the table is asked.
   * @returns those that go back to the table
   */
  passedOver({ key, seq }: OrderPlace): readonly Letter[] {
    const isLate = this.#lines.get(key)?.some((member) => member.seq > seq) ?? false;
    if (!isLate) return [];
    const taken = this.#takeFrom(key);
    if (this.#lines.has(key)) this.#broken.add(key);
    return taken;
  }

  /** Takes out all that may not be sent yet. */
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

  /** Takes out those that wait. */
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

/** The first one, when none is going and nothing is before it. */
function nextOf(line: readonly Member[]): Member | null {
  const [first] = line;
  if (first === undefined || first.behindSeq !== null || line.some(({ isGoing }) => isGoing)) return null;
  return first;
}

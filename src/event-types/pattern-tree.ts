/** What a pattern is made of, as far as matching in linear time goes. */
export type PatternTree =
  /** One code point, by the source of a regular expression that matches single ones: a letter, `.`, `\d`, `[a-z]`. */
  | { readonly kind: 'one'; readonly source: string }
  | { readonly kind: 'begin' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternTree[] }
  | { readonly kind: 'repeat'; readonly part: PatternTree; readonly least: number; readonly most: number };

/** A pattern that is refused, and why. */
export class PatternProblem extends Error {}

const MAX_LENGTH = 500;
const MAX_GROUPS = 20;
const QUANTIFIER = /[*+?]|\{(\d+)(?:(,)(\d*))?\}/y;
const ESCAPE =
  /\\(?:[dDwWsStnrfv0]|x[0-9a-fA-F]{2}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]+\}|[pP]\{[^}]*\}|c[A-Za-z]|[\^$\\.*+?()[\]{}|/])/y;

/**
 * Reads a regular expression of ECMA-262 with the flag u, without what cannot be matched in linear time (look-around, references to groups)
 * and without word boundaries.
 * @throws PatternProblem
 */
export function parsePattern(pattern: string): PatternTree {
  if (pattern.length > MAX_LENGTH) throw new PatternProblem(`expected at most ${MAX_LENGTH} characters`);
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    throw new PatternProblem(`expected a regular expression of ECMA-262: ${(error as Error).message}`);
  }
  return new PatternReader(pattern).read();
}

/** Recursive descent over a pattern whose syntax is known to be good. */
class PatternReader {
  readonly #text: string;
  #at = 0;
  #groups = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PatternTree {
    return this.#choice();
  }

  #choice(): PatternTree {
    const parts = [this.#sequence()];
    while (this.#text[this.#at] === '|') {
      this.#at++;
      parts.push(this.#sequence());
    }
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): PatternTree {
    const parts: PatternTree[] = [];
    while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at]!)) parts.push(this.#quantified());
    return { kind: 'sequence', parts };
  }

  #quantified(): PatternTree {
    const part = this.#atom();
    const found = this.#take(QUANTIFIER);
    if (found === null) return part;
    if (this.#text[this.#at] === '?') this.#at++;
    const [sign, count, comma, most] = found;
    const [least, greatest] =
      count === undefined
        ? ({ '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] }[sign] as [number, number])
        : [Number(count), comma === undefined ? Number(count) : most === '' ? Infinity : Number(most)];
    return { kind: 'repeat', part, least, most: greatest };
  }

  #atom(): PatternTree {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    switch (char) {
      case '^':
      case '$':
        this.#at++;
        return { kind: char === '^' ? 'begin' : 'end' };
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      default:
        this.#at += char.length;
        return { kind: 'one', source: char };
    }
  }

  #group(): PatternTree {
    if (++this.#groups > MAX_GROUPS) throw new PatternProblem(`expected at most ${MAX_GROUPS} groups`);
    const opening = this.#take(/\((?:\?:|\?<\w+>|(?!\?))/y);
    if (opening === null) throw new PatternProblem('look-around and modifiers are not supported');
    const inner = this.#choice();
    this.#at++;
    return inner;
  }

  #class(): PatternTree {
    const found = this.#take(/\[(?:[^\]\\]|\\.)*\]/sy);
    if (found === null) throw new PatternProblem('a class has no end');
    return { kind: 'one', source: found[0] };
  }

  #escape(): PatternTree {
    const found = this.#take(ESCAPE);
    if (found !== null) return { kind: 'one', source: found[0] };
    const sequence = this.#text.slice(this.#at, this.#at + 2);
    throw new PatternProblem(`${sequence} is not supported: no references to groups, no word boundaries`);
  }

  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text);
    if (found !== null) this.#at = expression.lastIndex;
    return found;
  }
}

/**
 * Numbers of events keep the digits that their producer wrote, so they are compared by exact decimal value. A JavaScript number stands for
 * the shortest decimal that reads back as it. A number that says something else (1e400, 9007199254740993, 0.1 and twenty more digits) is an
 * `ExactNumber`. A number of at most 15 significant digits never is, unless it is too large or too small for a double.
 */
export class ExactNumber {
  readonly text: string;
  /** The nearest double: two numbers whose doubles differ are in the order of their doubles. */
  readonly double: number;
  /**
   * On which side of its double the number is: 1 above, -1 below; 0 where the double is infinite. Filters have doubles only, so nothing
   * else about the digits matters to them. The digits are read once, here, however many conditions the number is compared with.
   */
  readonly side: number;

  constructor(text: string) {
    this.text = text;
    this.double = Number(text);
    this.side = Number.isFinite(this.double) ? compareDecimals(text, String(this.double)) : 0;
  }
}

/** A number of an event. */
export type EventNumber = number | ExactNumber;

// At least 16 digits, or an exponent of three: a shorter number is what its double says. It may also match inside strings, which only costs
// time.
const MAYBE_EXACT = /[:,[\s]-?\d(?:[\d.]{15}|[\d.]*[eE][+-]?\d{3})/;

/** Whether a JSON text may have numbers that a double does not hold. False is certain. */
export function mayHaveExactNumbers(text: string): boolean {
  return MAYBE_EXACT.test(text);
}

/** `JSON.parse` that loses no digit: numbers that a double does not hold as written come as `ExactNumber`. */
export function parseExactly(text: string): unknown {
  if (!mayHaveExactNumbers(text)) return JSON.parse(text);
  const keepDigits = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? numberOf(context.source, value) : value;
  return JSON.parse(text, keepDigits);
}

function numberOf(source: string, value: number): EventNumber {
  const exact = new ExactNumber(source);
  return Number.isFinite(value) && exact.side === 0 ? value : exact;
}

/** The sign of `a - b`, where `b` is a finite number of a filter. */
export function compareNumbers(a: EventNumber, b: number): number {
  if (typeof a === 'number') return a - b;
  return a.double === b ? a.side : a.double - b;
}

interface Decimal {
  readonly negative: boolean;
  /** Without leading and trailing zeros; empty for zero. */
  readonly digits: string;
  /** The value is 0.digits × 10^exponent. */
  readonly exponent: bigint;
}

function compareDecimals(a: string, b: string): number {
  const x = decimalOf(a);
  const y = decimalOf(b);
  if (x.digits === '' || y.digits === '' || x.negative !== y.negative) return signOf(x) - signOf(y);
  const sign = x.negative ? -1 : 1;
  if (x.exponent !== y.exponent) return x.exponent > y.exponent ? sign : -sign;
  return x.digits === y.digits ? 0 : x.digits > y.digits ? sign : -sign;
}

function signOf({ digits, negative }: Decimal): number {
  return digits === '' ? 0 : negative ? -1 : 1;
}

/**
 * Of a longer exponent only its sign is kept, with this many nines: no filter tells such numbers apart, and reading them must stay cheap.
 */
const MAX_EXPONENT_DIGITS = 30;

function decimalOf(text: string): Decimal {
  const [, minus, whole = '', fraction = '', power = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!;
  const all = whole + fraction;
  let start = 0;
  while (all.charCodeAt(start) === 0x30) start++;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  const exponent = BigInt(whole.length - start) + exponentOf(power);
  return { negative: minus === '-', digits: all.slice(start, end), exponent };
}

function exponentOf(power: string): bigint {
  const digits = power.replace(/^[+-]?0*/, '');
  if (digits === '') return 0n;
  const size = BigInt(digits.length > MAX_EXPONENT_DIGITS ? '9'.repeat(MAX_EXPONENT_DIGITS) : digits);
  return power.startsWith('-') ? -size : size;
}

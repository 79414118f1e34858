import { burn, type Fuel } from './linear-pattern.ts';

/** A number from 0 as digits × 10^exponent; the digits do not end with 0, but for 0 itself. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

/**
 * How many zeros behind a number matter at most: the digits of a step are fewer than 18, and so less than 2^57. If they do not divide a
 * number with this many zeros behind it, they do not with more.
 */
const MAX_SHIFT = 56;
const POWERS = Array.from({ length: MAX_SHIFT + 1 }, (_, i) => 10n ** BigInt(i));
/** Whole numbers of so many digits are exact in a double. */
const EXACT_DIGITS = 15;

/** What it costs if the number or the step is not whole (measured), and, past 2^53, for the exact value of the double. */
const DECIMAL_COST = 16;
const EXACT_COST = 16;

/** What numbers are to be multiples of, prepared: what depends on the schema alone is computed once. */
interface Step extends Decimal {
  readonly number: number;
  readonly whole: bigint;
  /** The same with the zeros of its exponent, if that is above 0. */
  readonly exact: bigint;
}

/**
 * Whether a number is an exact multiple of another, each taken as the shortest decimal that reads back as it: 19.99 is a multiple of 0.01.
 */
export function isMultiple(value: number, step: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(step)) return value % step === 0;
  return isDecimalMultiple(decimalOf(value), stepOf(step));
}

/**
 * Makes a check for values of events. Past 2^53 the shortest decimal may not be what the producer wrote: that of 2^60 is
 * 1152921504606847000. There the exact value of the double counts as well. A number that is past the doubles passes as a multiple.
 * @param fuel burnt where one division does not decide
 */
export function multiplesOf(number: number, fuel: Fuel): (value: number) => boolean {
  const step = stepOf(number);
  const isWhole = Number.isSafeInteger(number);
  return (value) => {
    if (Number.isSafeInteger(value)) {
      if (isWhole) return value % number === 0;
    } else if (!Number.isFinite(value)) return true;
    burn(fuel, DECIMAL_COST);
    if (isDecimalMultiple(decimalOf(value), step)) return true;
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
    burn(fuel, EXACT_COST);
    return isExactMultiple(BigInt(value), step);
  };
}

function stepOf(number: number): Step {
  const decimal = decimalOf(number);
  const whole = BigInt(decimal.digits);
  const exact = whole * 10n ** BigInt(Math.max(0, decimal.exponent));
  return { ...decimal, number: Number(decimal.digits), whole, exact };
}

function decimalOf(value: number): Decimal {
  const text = Math.abs(value).toExponential();
  const end = text.indexOf('e');
  const exponent = Number(text.slice(end + 1));
  return end === 1
    ? { digits: text[0]!, exponent }
    : { digits: text[0] + text.slice(2, end), exponent: exponent - (end - 2) };
}

function isDecimalMultiple(value: Decimal, step: Step): boolean {
  const places = value.exponent - step.exponent;
  if (places < 0) return value.digits === '0';
  const shift = Math.min(places, MAX_SHIFT);
  if (value.digits.length + shift <= EXACT_DIGITS) return (Number(value.digits) * 10 ** shift) % step.number === 0;
  return (BigInt(value.digits) * POWERS[shift]!) % step.whole === 0n;
}

function isExactMultiple(value: bigint, { exponent, whole, exact }: Step): boolean {
  if (exponent > 0) return value % exact === 0n;
  return (value * POWERS[Math.min(-exponent, MAX_SHIFT)]!) % whole === 0n;
}

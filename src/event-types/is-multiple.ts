import { burn, type Fuel } from './linear-pattern.ts';

/** A number from 0 as digits × 10^exponent; the digits do not end with 0, but for 0 itself. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

/** 17 digits are fewer than 2^57: no higher power of ten makes a number divisible by them. */
const MAX_SHIFT = 56;
const POWERS = Array.from({ length: MAX_SHIFT + 1 }, (_, i) => 10n ** BigInt(i));
/** Whole numbers of so many digits are exact in a double. */
const EXACT_DIGITS = 15;

/** What it costs to tell of a number that is not whole, or not by a step that is (measured); and of one past 2^53 what its double is. */
const DECIMAL_COST = 16;
const EXACT_COST = 16;

/** What a number may be a multiple of, made ready: what belongs to a schema is computed once. */
interface Step extends Decimal {
  readonly number: number;
  readonly whole: bigint;
  /** With the zeros of a step that is whole. */
  readonly exact: bigint;
}

/** Whether it is one exactly, each number taken for the shortest decimal that reads back as it: 19.99 is a multiple of 0.01. */
export function isMultiple(value: number, step: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(step)) return value % step === 0;
  return isDecimalMultiple(decimalOf(value), stepOf(step));
}

/**
 * A check for values of events. Past 2^53 the shortest decimal may not be what the producer wrote, 2^60 being 1152921504606847000 by it: there what
 * the double is to the last digit counts as well. What is past the doubles is taken for a multiple.
 * @param fuel burnt where it is not told by one division
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

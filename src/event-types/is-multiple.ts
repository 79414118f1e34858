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

/** Whether it is one exactly, each number taken for the shortest decimal that reads back as it: 19.99 is a multiple of 0.01. */
export function isMultiple(value: number, step: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(step)) return value % step === 0;
  return isDecimalMultiple(decimalOf(value), decimalOf(step));
}

/**
 * A check for values of events. Past 2^53 the shortest decimal may not be what the producer wrote, 2^60 being 1152921504606847000 by it: there what
 * the double is to the last digit counts as well. What is past the doubles is taken for a multiple.
 */
export function multiplesOf(step: number): (value: number) => boolean {
  const decimal = decimalOf(step);
  const isWhole = Number.isSafeInteger(step);
  return (value) => {
    if (Number.isSafeInteger(value)) {
      if (isWhole) return value % step === 0;
    } else if (!Number.isFinite(value)) return true;
    if (isDecimalMultiple(decimalOf(value), decimal)) return true;
    return Math.abs(value) > Number.MAX_SAFE_INTEGER && isExactMultiple(BigInt(value), decimal);
  };
}

function decimalOf(value: number): Decimal {
  const text = Math.abs(value).toExponential();
  const end = text.indexOf('e');
  const exponent = Number(text.slice(end + 1));
  return end === 1
    ? { digits: text[0]!, exponent }
    : { digits: text[0] + text.slice(2, end), exponent: exponent - (end - 2) };
}

function isDecimalMultiple(value: Decimal, step: Decimal): boolean {
  const places = value.exponent - step.exponent;
  if (places < 0) return value.digits === '0';
  const shift = Math.min(places, MAX_SHIFT);
  if (value.digits.length + shift <= EXACT_DIGITS)
    return (Number(value.digits) * 10 ** shift) % Number(step.digits) === 0;
  return (BigInt(value.digits) * POWERS[shift]!) % BigInt(step.digits) === 0n;
}

function isExactMultiple(value: bigint, { digits, exponent }: Decimal): boolean {
  if (exponent > 0) return value % (BigInt(digits) * 10n ** BigInt(exponent)) === 0n;
  return (value * POWERS[Math.min(-exponent, MAX_SHIFT)]!) % BigInt(digits) === 0n;
}

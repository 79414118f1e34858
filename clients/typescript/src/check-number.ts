/**
 * An option that is a number, or what it is unless given.
 * @throws TypeError for what is no number, RangeError for one that it cannot be
 */
export function checkNumber(name: string, given: number | undefined, unlessGiven: number): number {
  const value = given === undefined ? unlessGiven : given;
  if (typeof value !== 'number') throw new TypeError(`${name} is no number: expected one above 0.`);
  if (!(value > 0)) throw new RangeError(`${name} is ${value}: expected a number above 0.`);
  return value;
}

/** As `checkNumber`, for an option that counts. */
export function checkCount(name: string, given: number | undefined, unlessGiven: number): number {
  const value = checkNumber(name, given, unlessGiven);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name} is ${value}: expected a whole number above 0.`);
  return value;
}

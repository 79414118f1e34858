/**
 * A value as JSON, in which nothing is lost without a word.
 * @param what the value is called in the message: `Event 3`
 * @returns undefined for what is nothing in JSON
 * @throws TypeError for what is no JSON, and for what JSON would leave out or make another thing of
 */
export function writeJson(what: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value, refuseWhatIsLost);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`${what} is no JSON: ${why}`, { cause });
  }
}

/** An undefined member is left out: it is how TypeScript says that there is none. */
function refuseWhatIsLost(this: unknown, key: string, value: unknown): unknown {
  const given = (this as Record<string, unknown>)[key];
  if (given instanceof Date && value === null) throw new TypeError(`${JSON.stringify(key)} is an invalid Date.`);
  const lost = lostKind(value, Array.isArray(this));
  if (lost !== null) throw new TypeError(`${JSON.stringify(key)} is ${lost}.`);
  return value;
}

/** What it is, where JSON has nothing for it. */
function lostKind(value: unknown, isInArray: boolean): string | null {
  if (typeof value === 'number' || value instanceof Number) return Number.isFinite(Number(value)) ? null : `${value}`;
  if (typeof value === 'function' || typeof value === 'symbol') return typeof value;
  if (value === undefined) return isInArray ? 'undefined' : null;
  return typeof value === 'object' && value !== null ? emptyKind(value) : null;
}

/** JSON makes {} of an object that has its contents elsewhere: of a Map, an Error, a RegExp, Headers, a Promise. */
function emptyKind(value: object): string | null {
  if (Array.isArray(value) || isBoxed(value) || Object.keys(value).length > 0) return null;
  const made: unknown = Object.getPrototypeOf(value)?.constructor;
  const name = typeof made === 'function' ? made.name : '';
  return NATIVE.has(name) || value instanceof Error ? `a ${name || 'Error'}` : null;
}

const isBoxed = (value: object) => value instanceof String || value instanceof Boolean;

const NATIVE: ReadonlySet<string> = new Set(
  'Map Set WeakMap WeakSet Promise RegExp ArrayBuffer SharedArrayBuffer DataView Headers FormData URLSearchParams Blob File Request Response'.split(
    ' ',
  ),
);

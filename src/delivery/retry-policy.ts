/** Delay before each attempt in milliseconds, the first included: the suggestion of Standard Webhooks 1.0.0, after which a delivery is dead-lettered. */
export const defaultSchedule: readonly number[] = [
  0,
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];

const JITTER = 0.2;
/** By how much a delay may be longer than its schedule says, as a factor. */
export const LONGEST_JITTER = 1 + JITTER;
export const DAY_MS = 24 * 3_600_000;

export interface RetryContext {
  /** Delay before each attempt, the first included. */
  readonly schedule: readonly number[];
  /** Index in `schedule` of the attempt just made. */
  readonly step: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The `Retry-After` of the response, if it had one. */
  readonly retryAfter?: string | undefined;
  readonly nowMs: number;
}

/**
 * Milliseconds until the next attempt; null when the schedule is exhausted. The scheduled delay (`base`) is spread by ±20 %, so
 * that deliveries that failed together do not come back together. `Retry-After` may put it off, never bring it forward: what it
 * asks for (`waitAskedMs`) is spread upwards, so that no receiver is called before it asked to be, within the clamp.
 */
export function nextDelayMs(context: RetryContext): number | null {
  const { schedule, step, random } = context;
  const base = schedule[step + 1];
  if (base === undefined) return null;
  const wait = waitAskedMs(context);
  const earliest = Math.max(wait, base * (1 - JITTER));
  const latest = Math.max(wait, base) * (1 + JITTER);
  return Math.round(earliest + (latest - earliest) * random());
}

/**
 * The wait that a response asks for by `Retry-After`, in milliseconds, clamped to twice the scheduled delay or 24 h, whichever is
 * longer; 0 when it asks for none. At the shortest, the clamp is as long as an endpoint is paused by the same header (`Gate`): no delivery
 * is due while its endpoint may not be called.
 */
export function waitAskedMs({ schedule, step, retryAfter, nowMs }: Omit<RetryContext, 'random'>): number {
  if (retryAfter === undefined) return 0;
  const base = schedule[step + 1] ?? 0;
  return Math.min(parseRetryAfter(retryAfter, nowMs) ?? 0, Math.max(2 * base, DAY_MS));
}

/** The longest that the rest of a schedule may take by itself, in milliseconds. */
export function longestRestMs(schedule: readonly number[], step: number): number {
  let sum = 0;
  for (let next = step + 1; next < schedule.length; next++) sum += schedule[next]!;
  return sum * LONGEST_JITTER;
}

/**
 * The wait that a `Retry-After` asks for, in milliseconds; null when it says nothing usable. RFC 9110 §10.2.3: delay-seconds (a
 * whole number) or an HTTP-date; a date in the past is 0. A header that came twice is joined by commas: the longest wait of
 * those that parse counts, because waiting longer harms nobody. Negative, fractional and other text is ignored.
 */
export function parseRetryAfter(header: string, nowMs: number): number | null {
  const waits = header
    .split(/,(?! \d{2} [A-Z][a-z]{2} \d{4})(?! \d{2}-)/)
    .map((part) => parseOne(part.trim(), nowMs))
    .filter((wait) => wait !== null);
  return waits.length === 0 ? null : Math.max(...waits);
}

function parseOne(text: string, nowMs: number): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1000;
  const at = parseHttpDate(text, nowMs);
  return at === null ? null : Math.max(0, at - nowMs);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The three forms of RFC 9110 §5.6.7. `Date.parse` alone would take `1.5` and much else for a date. */
function parseHttpDate(text: string, nowMs: number): number | null {
  const imf = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text);
  if (imf) return utc(imf[3]!, imf[2]!, imf[1]!, imf.slice(4));
  const asctime = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/.exec(text);
  if (asctime) return utc(asctime[6]!, asctime[1]!, asctime[2]!, asctime.slice(3, 6));
  const rfc850 = /^[A-Z][a-z]+day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text);
  if (!rfc850) return null;
  const century = Math.floor(new Date(nowMs).getUTCFullYear() / 100) * 100;
  const year = century + Number(rfc850[3]);
  // A two-digit year that seems over 50 years ahead is the past one with the same digits (RFC 9110 §5.6.7).
  const past = year > new Date(nowMs).getUTCFullYear() + 50 ? year - 100 : year;
  return utc(String(past), rfc850[2]!, rfc850[1]!, rfc850.slice(4));
}

function utc(year: string, month: string, day: string, [hour, minute, second]: readonly string[]): number | null {
  const index = MONTHS.indexOf(month);
  if (index === -1) return null;
  const at = Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second));
  return Number.isNaN(at) ? null : at;
}

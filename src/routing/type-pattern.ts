/** Event types: dotted segments of letters, digits, `_` and `-`, at most 128 characters. */
export const EVENT_TYPE = /^(?=.{1,128}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

const PATTERN = /^(?=.{1,128}$)(\*{1,2}|[A-Za-z0-9_-]+)(\.(\*{1,2}|[A-Za-z0-9_-]+))*$/;

/** Types of Posthorn's own events begin with this segment; only a pattern that names it matches them. */
export const SYSTEM_SEGMENT = 'system';

const MAX_DEEP_WILDCARDS = 4;

/** Why a subscription's type pattern is refused; null when it is good. `*` stands for one segment, `**` for any number, none included. */
export function typePatternProblem(pattern: string): string | null {
  if (!PATTERN.test(pattern))
    return 'expected dotted segments of letters, digits, _ and -, where * stands for one segment and ** for any number, none included';
  if (pattern.split('.').filter((segment) => segment === '**').length > MAX_DEEP_WILDCARDS)
    return `expected at most ${MAX_DEEP_WILDCARDS} times **`;
  return null;
}

/** Whether an event type matches a pattern that `typePatternProblem` found good. */
export function matchesType(pattern: string, type: string): boolean {
  const wanted = pattern.split('.');
  const given = type.split('.');
  if (given[0] === SYSTEM_SEGMENT && wanted[0] !== SYSTEM_SEGMENT) return false;
  return matchesSegments(wanted, given);
}

/** One row of a dynamic programme per pattern segment: time is the product of the two lengths, whatever the wildcards. */
function matchesSegments(wanted: readonly string[], given: readonly string[]): boolean {
  let reachable = new Array<boolean>(given.length + 1).fill(false);
  reachable[0] = true;
  for (const segment of wanted) {
    const next = new Array<boolean>(given.length + 1).fill(false);
    for (let i = 0; i <= given.length; i++) {
      if (segment === '**') next[i] = reachable[i]! || (i > 0 && next[i - 1]!);
      else next[i] = i > 0 && reachable[i - 1]! && (segment === '*' || segment === given[i - 1]);
    }
    reachable = next;
  }
  return reachable[given.length]!;
}

/** Whether a producer may use this type: Posthorn keeps `system` and `system.…` for its own events. */
export function isReservedType(type: string): boolean {
  return type === SYSTEM_SEGMENT || type.startsWith(`${SYSTEM_SEGMENT}.`);
}

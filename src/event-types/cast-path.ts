/** Names from `data` inwards; `[]` stands for each item of an array. */
export type CastPath = readonly string[];

const MAX_SEGMENTS = 16;
export const EACH = '[]';

export function readCastPath(text: string): CastPath {
  return text.split('.');
}

/** What is wrong with a text as the path of a cast; null when nothing is. */
export function castPathProblem(text: string): string | null {
  const path = readCastPath(text);
  if (path.length > MAX_SEGMENTS) return `expected at most ${MAX_SEGMENTS} names`;
  if (path.some((name) => name === '' || name === '__proto__'))
    return 'expected names joined by dots, such as customer.id or items.[].price';
  return path.at(-1) === EACH ? 'expected a name at the end' : null;
}

/** How many segments reach to the last array that the path goes into. */
export function arraysOf(path: CastPath): number {
  return path.lastIndexOf(EACH) + 1;
}

export function startsWith(path: CastPath, start: CastPath): boolean {
  return start.length <= path.length && start.every((name, i) => name === path[i]);
}

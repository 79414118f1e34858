import type { Fault } from '../domain/errors.ts';
import type { Cast } from './cast.ts';
import { arraysOf, castPathProblem, readCastPath, startsWith } from './cast-path.ts';

const MAX_PATHS = 100;

/** What is wrong with a cast by itself; paths begin with `casts`. Whether it fits the two schemas is found out with their examples. */
export function castFaults({ renames, defaults, removes, restores }: Omit<Cast, 'from'>): readonly Fault[] {
  const older = [
    ...places('renames', Object.keys(renames)),
    ...places('removes', removes),
    ...places('restores', Object.keys(restores)),
  ];
  const newer = [
    ...Object.entries(renames).map(([from, to]) => ({ path: to, place: `casts.renames.${from}` })),
    ...places('defaults', Object.keys(defaults)),
  ];
  const bad = [...older, ...newer].flatMap(({ path, place }) => {
    const problem = castPathProblem(path);
    return problem === null ? [] : [{ path: place, message: problem }];
  });
  if (bad.length > 0) return bad;
  if (older.length + newer.length > MAX_PATHS)
    return [{ path: 'casts', message: `expected at most ${MAX_PATHS} paths` }];
  return [...arrayFaults(renames), ...overlaps(older), ...overlaps(newer)];
}

interface Place {
  readonly path: string;
  readonly place: string;
}

function places(group: string, paths: readonly string[]): Place[] {
  return paths.map((path) => ({ path, place: `casts.${group}.${path}` }));
}

/** Faults of renames that would move a value out of its item of an array. */
function arrayFaults(renames: Cast['renames']): Fault[] {
  return Object.entries(renames).flatMap(([from, to]) => {
    const [older, newer] = [readCastPath(from), readCastPath(to)];
    const arrays = older.slice(0, arraysOf(older));
    const isSame = arraysOf(newer) === arrays.length && startsWith(newer, arrays);
    return isSame ? [] : [{ path: `casts.renames.${from}`, message: 'expected both paths in the same array' }];
  });
}

/** Faults of rules for the same place: what they do would depend on their order. */
function overlaps(all: readonly Place[]): Fault[] {
  return all.flatMap(({ path, place }, i) => {
    const clash = all.slice(0, i).find((other) => {
      const [a, b] = [readCastPath(path), readCastPath(other.path)];
      return startsWith(a, b) || startsWith(b, a);
    });
    return clash === undefined ? [] : [{ path: place, message: `clashes with ${clash.place}` }];
  });
}

/** What a record of the index stands for. The numbers fit in 5 bits. */
export const KIND = {
  string: 1,
  equals: 2,
  number: 3,
  literal: 4,
  prefix: 5,
  foldedPrefix: 6,
  suffix: 7,
  foldedSuffix: 8,
  cidr: 9,
  wildcard: 10,
  glob: 11,
  range: 12,
  exists: 13,
  absent: 14,
  except: 15,
  /** Several conditions of one field. */
  several: 16,
  /** Literals that lead to wildcards and globs: at the start of a text, at its end, anywhere. */
  atStart: 17,
  atEnd: 18,
  within: 19,
} as const;

export const KIND_BITS = 5;

/** Whether values of an event find such a record by a lookup, and satisfy it if they do. */
export function isCertain(kind: number): boolean {
  return kind <= KIND.cidr;
}

/** Whether it is known without asking a value if an event satisfies it: by the records that its values found, and by whether it has any. */
export function isPlain(kind: number): boolean {
  return isCertain(kind) || kind === KIND.exists || kind === KIND.absent;
}

/** Whether values of an event find such a record by one of its literals, and have to be asked then whether they satisfy it. */
export function isGuessed(kind: number): boolean {
  return kind === KIND.wildcard || kind === KIND.glob;
}

export function isReadDown(kind: number): boolean {
  return kind === KIND.suffix || kind === KIND.foldedSuffix || kind === KIND.atEnd;
}

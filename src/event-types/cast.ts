/**
 * How data goes between a version of a type and one of an older major. Paths are dotted names from `data`; a segment `[]` stands for each
 * item of an array. Values are JSON texts.
 */
export interface Cast {
  /** The older version. */
  readonly from: string;
  /** Older path → newer path. */
  readonly renames: Readonly<Record<string, string>>;
  /** What the newer version has and the older has not: set where it is missing on the way up, taken out on the way down. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** What the older version has and the newer has not: taken out on the way up, and not brought back. */
  readonly removes: readonly string[];
  /** The same, set where it is missing on the way down. */
  readonly restores: Readonly<Record<string, unknown>>;
  /** Whether it was declared by an earlier version of the same major. */
  readonly inherited?: boolean;
}

export type CastDirection = 'up' | 'down';

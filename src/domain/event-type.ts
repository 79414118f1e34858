/** What becomes of an event that its schema refuses: nothing, a line in the log, or 422. */
export const VALIDATION_MODES = ['off', 'warn', 'enforce'] as const;
export type ValidationMode = (typeof VALIDATION_MODES)[number];

/** Feature state of a version. `deprecated` is still taken; `archived` is not, where the type is validated. */
export const VERSION_STATES = ['active', 'deprecated', 'archived'] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/** Which major version of the types that match the pattern an endpoint wants. */
export interface VersionPin {
  readonly pattern: string;
  readonly major: number;
}

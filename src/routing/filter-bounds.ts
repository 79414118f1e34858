/** What a filter may be at most. They keep one filter from costing what thousands may cost; docs/filters.md shows them. */
export const filterBounds = {
  /** Characters of JSON. */
  characters: 16 * 1024,
  /** Levels of field names. */
  depth: 20,
  /** Levels of JSON, among them those of `$or`: as many as a body may have. */
  nesting: 32,
  /** Clauses that `$or` multiplies to. */
  clauses: 100,
  /** Fields of one clause. */
  fields: 30,
  /** Values of all clauses together. */
  values: 2_000,
  wildcards: 50,
} as const;

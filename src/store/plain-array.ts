/** A Postgres array literal of values that need no quoting (numbers, UUIDs): far cheaper than the driver's general one. */
export function plainArray(values: readonly (number | bigint | string)[]): string {
  return `{${values.join(',')}}`;
}

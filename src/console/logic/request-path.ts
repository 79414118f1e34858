export type Query = Readonly<Record<string, string | number | undefined>>;

/**
 * The path of a call relative to `/v1/`, each segment encoded, so that no id can lead to another call.
 * @throws Error for `.` and `..`, which browsers resolve although they are encoded
 */
export function requestPath(segments: readonly string[], query: Query = {}): string {
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new Error('No object has such an id.');
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)] as [string, string]],
  );
  const search = new URLSearchParams(given).toString();
  return `${segments.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}

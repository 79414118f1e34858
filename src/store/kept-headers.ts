/** Headers whose values are credentials, or as good as that. */
const CREDENTIALS = [
  'set-cookie',
  'cookie',
  'authorization',
  'proxy-authorization',
  'authentication-info',
  'proxy-authentication-info',
  'x-api-key',
  'x-auth-token',
] as const;

type Headers = Readonly<Record<string, string>>;

/**
 * What is kept of a response's headers (names in lower case). Of headers that hold credentials only the name is kept, and `location` loses
 * its query, fragment and user, which often carry tokens. Most responses have none of these, and their headers are kept as they are.
 */
export function keptHeaders(headers: Headers): Headers {
  let kept: Record<string, string> | null = null;
  for (const name of CREDENTIALS) {
    if (headers[name] === undefined) continue;
    kept ??= { ...headers };
    kept[name] = '…';
  }
  const { location } = headers;
  return location === undefined ? (kept ?? headers) : { ...(kept ?? headers), location: keptLocation(location) };
}

function keptLocation(location: string): string {
  return location.replace(/\/\/[^/?#]*@/, '//…@').replace(/([?#]).*$/s, '$1…');
}

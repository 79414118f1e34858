import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Headers that every answer has, whatever it says: names and values in turn, as `writeHead` takes them. */
export const FIXED_HEADERS: readonly string[] = [...helmetHeaders(), 'cache-control', 'no-store'];

export function setFixedHeaders(response: ServerResponse): void {
  for (let i = 0; i < FIXED_HEADERS.length; i += 2) response.setHeader(FIXED_HEADERS[i]!, FIXED_HEADERS[i + 1]!);
}

/** What helmet sets by our options is the same each time: it is asked once, and its dozen of middlewares cost no request anything. */
function helmetHeaders(): string[] {
  const protect = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  });
  const headers: string[] = [];
  const setHeader = (name: string, value: string) => headers.push(name, value);
  const response = { setHeader, removeHeader: () => {} } as unknown as ServerResponse;
  protect({} as IncomingMessage, response, (error) => {
    if (error !== undefined) throw error;
  });
  return headers;
}

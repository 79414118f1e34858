import { type RequestHandler, Router } from 'express';
import type { ConsoleFile } from '../console-files.ts';
import type { Call } from '../refuse-other-methods.ts';

/** Scripts and the style of ours, calls of this API, and nothing else; no text can become a script (Trusted Types). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

type Files = ReadonlyMap<string, () => ConsoleFile>;

/** Where they are mounted. */
export const CONSOLE_PATH = '/console';

/** `/console` leads to `/console/`: they are one path here. */
export function consoleCalls(files: Files): readonly Call[] {
  return [...files.keys()].map((name) => ({ method: 'get', path: `${CONSOLE_PATH}/${name}` }));
}

/** Whoever opens the address that a start prints looks for people's part of it. Relative: a proxy may give Posthorn a path of its own. */
export const leadToConsole: RequestHandler = (_, response) => {
  response.setHeader('location', 'console/');
  response.status(302).end();
};

/** The console's files. Open to anybody: they hold no data, and what they show they ask of the API with the reader's key. */
export function consoleRoutes(files: Files): Router {
  const router = Router({ caseSensitive: true });
  for (const [name, read] of files) {
    router.get(`/${name}`, (request, response) => {
      const [path = '', query] = request.originalUrl.split('?');
      if (name === '' && !path.endsWith('/')) {
        // Relative: a proxy may give Posthorn a path of its own.
        response.setHeader('location', query === undefined ? 'console/' : `console/?${query}`);
        response.status(308).end();
        return;
      }
      const { type, body, etag } = read();
      response.setHeader('content-security-policy', POLICY);
      response.setHeader('cache-control', 'no-cache');
      response.setHeader('etag', etag);
      // Answers 304 where the reader has it already.
      response.type(type).send(body);
    });
  }
  return router;
}

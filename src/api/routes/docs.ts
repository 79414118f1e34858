import { hash } from 'node:crypto';
import type { Router } from 'express';
import { docsPage, docsPolicy } from '../docs-page.ts';
import { exactRouter } from '../exact-router.ts';
import { openApiDocument } from '../openapi.ts';
import type { Route } from '../route.ts';

export const DOCS_CALLS = ['/openapi.json', '/docs'].map((path) => ({ method: 'get', path, isExact: true }));

/** `/openapi.json` for programs and `/docs` for people, both made once from the list of routes. Open to anybody: they hold no data. */
export function docsRoutes(routes: readonly Route[], version: string): Router {
  const router = exactRouter();
  const document = openApiDocument(routes, version);
  // Anybody may ask, as often as they like: it is a few hundred kB, and to write it each time would take the process's time.
  const text = Buffer.from(JSON.stringify(document));
  const etag = `"${hash('sha256', text, 'base64url')}"`;
  const page = Buffer.from(docsPage(document));
  router.get('/openapi.json', (_request, response) => {
    response.setHeader('etag', etag);
    response.type('json').send(text);
  });
  router.get('/docs', (_request, response) => {
    response.setHeader('content-security-policy', docsPolicy);
    response.type('html').send(page);
  });
  return router;
}

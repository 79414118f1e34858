import { Router } from 'express';
import { docsPage, docsPolicy } from '../docs-page.ts';
import { openApiDocument } from '../openapi.ts';
import type { Route } from '../route.ts';

export const DOCS_CALLS = ['/openapi.json', '/docs'].map((path) => ({ method: 'get', path }));

/** `/openapi.json` for programs and `/docs` for people, both made once from the list of routes. Open to anybody: they hold no data. */
export function docsRoutes(routes: readonly Route[], version: string): Router {
  const router = Router();
  const document = openApiDocument(routes, version);
  const page = docsPage(document);
  router.get('/openapi.json', (_request, response) => {
    response.json(document);
  });
  router.get('/docs', (_request, response) => {
    response.setHeader('content-security-policy', docsPolicy);
    response.type('html').send(page);
  });
  return router;
}

import type { Router } from 'express';
import type { Context } from '../../context.ts';
import { exactRouter } from '../exact-router.ts';

/** `/metrics`, for every role. Open like `/healthz`: it tells nothing of tenants, and Postgres is asked once in five seconds at most. */
export function metricsRoute({ observe }: Pick<Context, 'observe'>): Router {
  const router = exactRouter();
  router.get('/metrics', async (_request, response) => {
    response.type(observe.metrics.contentType).send(await observe.metrics.text());
  });
  return router;
}

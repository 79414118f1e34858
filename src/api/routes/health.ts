import type { Router } from 'express';
import { exactRouter } from '../exact-router.ts';
import type { Health } from '../health.ts';

/** `/healthz` and `/readyz`: 200 or 503, with what is wrong. Open to anybody who reaches the port; they tell nothing of tenants. */
export function healthRoutes({ health }: { readonly health: Health }): Router {
  const router = exactRouter();
  router.get('/healthz', (_request, response) => {
    const { problems } = health.live();
    response
      .status(problems.length === 0 ? 200 : 503)
      .json({ status: problems.length === 0 ? 'ok' : 'stuck', problems });
  });
  router.get('/readyz', async (_request, response) => {
    const { problems } = await health.ready();
    response
      .status(problems.length === 0 ? 200 : 503)
      .json({ status: problems.length === 0 ? 'ready' : 'not_ready', problems });
  });
  return router;
}

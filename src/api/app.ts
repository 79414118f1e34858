import type { Express } from 'express';
import type { Context } from '../context.ts';
import { answerTheRest, createBase } from './base-app.ts';
import { mountRoute } from './mount-route.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';
import { docsRoutes } from './routes/docs.ts';
import { mountIngest } from './routes/events-ingest.ts';
import { routes } from './routes.ts';

/** The whole HTTP API. Has no effects until it is listened on. */
export function createApp(context: Context): Express {
  const app = createBase(context, (base) => mountIngest(base, context));
  app.use(docsRoutes(routes, context.version));
  for (const route of routes) mountRoute(app, route, context);
  refuseOtherMethods(app, [...routes, { method: 'post', path: '/v1/events' }]);
  return answerTheRest(app, context);
}

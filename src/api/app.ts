import type { Express } from 'express';
import type { Context } from '../context.ts';
import { answerTheRest, createBase } from './base-app.ts';
import { consoleFiles } from './console-files.ts';
import { mountRoutes } from './mount-route.ts';
import { CONSOLE_PATH, consoleCalls, consoleRoutes, leadToConsole } from './routes/console.ts';
import { DOCS_CALLS, docsRoutes } from './routes/docs.ts';
import { mountIngest } from './routes/events-ingest.ts';
import { routes } from './routes.ts';

/** The whole HTTP API. Has no effects until it is listened on. */
export function createApp(context: Context): Express {
  const app = createBase(context, (base) => mountIngest(base, context));
  app.use(docsRoutes(routes, context.version));
  const files = consoleFiles();
  app.get('/', leadToConsole);
  app.use(CONSOLE_PATH, consoleRoutes(files));
  mountRoutes(app, routes, context);
  const others = [
    ...DOCS_CALLS,
    ...consoleCalls(files),
    { method: 'get', path: '/' },
    { method: 'post', path: '/v1/events' },
  ];
  return answerTheRest(app, context, [...routes, ...others]);
}

import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { Context } from '../context.ts';
import { Refusal } from '../domain/errors.ts';
import { answerUnread } from './answer-unread.ts';
import { setFixedHeaders } from './fixed-headers.ts';
import { hasBody } from './has-body.ts';
import { problemOf, refusalOf } from './problem.ts';
import { parseQuery } from './query-parser.ts';
import { type Call, refuseOtherMethods } from './refuse-other-methods.ts';
import { newRequestId } from './request-id.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoute } from './routes/metrics.ts';

const BASE_CALLS = ['/healthz', '/readyz', '/metrics'].map((path) => ({ method: 'get', path, isExact: true }));

/**
 * What every process says, whatever its roles: how it is, and what it measures. Others mount theirs, and let `answerTheRest` end it.
 * @param mountFirst for a route that is not to pay for the rest; what it answers has the fixed headers and an id by its own doing
 */
export function createBase(context: Context, mountFirst: (app: Express) => void = () => {}): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', parseQuery);
  app.set('case sensitive routing', true);
  // A slash at the end of a call's path is passed over, as clients may have come to rely on; but see `exactRouter`.
  app.set('strict routing', false);
  app.set('etag', false);
  mountFirst(app);
  app.use(identify);
  app.use(healthRoutes(context));
  app.use(metricsRoute(context));
  return app;
}

/**
 * Answers what nothing was mounted for, and errors.
 * @param calls all that were mounted besides those of `createBase`
 */
export function answerTheRest(app: Express, context: Context, calls: readonly Call[] = []): Express {
  refuseOtherMethods(app, [...BASE_CALLS, ...calls]);
  app.use((request: Request) => {
    throw new Refusal(404, 'not_found', `There is no ${request.method} ${request.path.slice(0, 200)}.`);
  });
  app.use(answerErrors(context));
  return app;
}

const identify: RequestHandler = (request, response, next) => {
  // To `If-None-Match: *` Express would answer 304 also where the answer has no ETag: a client that has nothing would get nothing.
  if (request.headers['if-none-match'] === '*') delete request.headers['if-none-match'];
  response.locals.requestId = newRequestId();
  setFixedHeaders(response);
  response.setHeader('x-request-id', response.locals.requestId);
  next();
};

function answerErrors({ observe }: Context): ErrorRequestHandler {
  return (error: unknown, request: Request, response: Response, _next) => {
    const refusal = refusalOf(error);
    const requestId = response.locals.requestId as string;
    if (refusal.status >= 500)
      observe.requestFailed({ requestId, method: request.method, path: request.path, status: refusal.status, error });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (refusal.status === 401) response.setHeader('www-authenticate', 'Bearer');
    if (refusal.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(refusal.retryAfterSeconds));
    response.status(refusal.status).type('application/problem+json; charset=utf-8');
    const body = JSON.stringify(problemOf(refusal, requestId));
    if (request.complete || !hasBody(request)) response.send(body);
    else answerUnread(request, response, body);
  };
}

import type { Express, RequestHandler } from 'express';
import { Refusal } from '../domain/errors.ts';
import { exactRouter } from './exact-router.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  /** Of an `exactRouter`. */
  readonly isExact?: boolean;
}

/** Answers 405 to methods that a path of ours does not take, with `Allow` (RFC 9110 §15.5.6). To be called when all of them are mounted. */
export function refuseOtherMethods(app: Express, calls: readonly Call[]): void {
  const exact = exactRouter();
  for (const isExact of [true, false]) {
    const those = calls.filter((call) => (call.isExact === true) === isExact);
    // Not `app.all`, which keeps a handler for each of the 34 methods that Node knows: two megabytes for all paths.
    for (const [path, allowed] of allowedMethods(those)) (isExact ? exact : app).route(path).all(refuse(allowed));
  }
  app.use(exact);
}

function refuse(allowed: string): RequestHandler {
  return (request, response) => {
    response.setHeader('allow', allowed);
    throw new Refusal(405, 'method_not_allowed', `${request.method} is not possible here: use ${allowed}.`);
  };
}

function allowedMethods(calls: readonly Call[]): Map<string, string> {
  const allowed = new Map<string, string>();
  for (const { method, path } of calls) {
    // Express answers HEAD where it answers GET.
    const names = method === 'get' ? 'GET, HEAD' : method.toUpperCase();
    const before = allowed.get(path);
    allowed.set(path, before === undefined ? names : `${before}, ${names}`);
  }
  return allowed;
}

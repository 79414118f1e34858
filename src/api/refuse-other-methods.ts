import type { Express } from 'express';
import { Refusal } from '../domain/errors.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
}

/** Answers 405 to methods that a path of ours does not take, with `Allow` (RFC 9110 §15.5.6). To be called when all of them are mounted. */
export function refuseOtherMethods(app: Express, calls: readonly Call[]): void {
  for (const [path, allowed] of allowedMethods(calls)) {
    app.all(path, (request, response) => {
      response.setHeader('allow', allowed);
      throw new Refusal(405, 'method_not_allowed', `${request.method} is not possible here: use ${allowed}.`);
    });
  }
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

import type { z } from 'zod';
import { checkCustomHeaders } from '../delivery/custom-headers.ts';

/** What callers who may not write endpoints see in place of a header's value. */
export const MASK = '***';

/**
 * Custom headers as they came. zod's own `record` is passed by: it drops a `__proto__` without a word, and this must be told.
 * A value that is the mask comes from somebody who read it with another key; taking it would destroy the real one.
 */
export function readHeaders(value: unknown, context: z.RefinementCtx): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'expected an object of header names and values' });
    return {};
  }
  const headers = value as Record<string, string>;
  for (const { path, message } of checkCustomHeaders(headers)) addFault(context, path, message);
  for (const name of Object.keys(headers)) {
    if (headers[name] === MASK)
      addFault(context, name, `${MASK} stands for a value that was not shown; send the value`);
  }
  return headers;
}

/** @param name empty for the whole; but a header whose name is empty is one as well, and its message says so */
function addFault(context: z.RefinementCtx, name: string, message: string): void {
  context.addIssue({ code: 'custom', message, path: name === '' ? [] : [name] });
}

/** Header names without what they carry. */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, MASK]));
}

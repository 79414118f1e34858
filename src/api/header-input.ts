import type { z } from 'zod';
import { checkCustomHeaders } from '../delivery/custom-headers.ts';

/** What callers who may not write endpoints see in place of a header's value. */
export const MASK = '***';

/**
 * Reads custom headers. It does not use zod's `record`, which silently drops a `__proto__`: that must be a fault. The mask as a value comes
 * from a caller who read the headers with a key that may not see the values; taking it would replace the real value.
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

/** @param name empty if the fault is of all headers. The name of a header may be empty as well: then the message says so */
function addFault(context: z.RefinementCtx, name: string, message: string): void {
  context.addIssue({ code: 'custom', message, path: name === '' ? [] : [name] });
}

/** Header names without what they carry. */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, MASK]));
}

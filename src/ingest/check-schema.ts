import type { z } from 'zod';
import type { Fault } from '../domain/errors.ts';
import { inputMessage } from './input-message.ts';

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** What a schema makes of a client's input, or its faults, in words for the client. */
export function checkSchema<T>(schema: z.ZodType<T>, input: unknown): Checked<T> {
  const parsed = schema.safeParse(input, { error: inputMessage });
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, faults: faultsOf(parsed.error) };
}

/** zod's issues as faults with dotted paths; each unknown field is a fault of its own. */
function faultsOf({ issues }: z.ZodError): readonly Fault[] {
  return issues.flatMap((issue, i): Fault[] => {
    if (isEcho(issue, issues[i - 1])) return [];
    const path = issue.path.map(String).join('.');
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: 'unknown field' }));
  });
}

/** zod also looks at the length of an array that should have been a string. */
function isEcho({ code, path }: z.core.$ZodIssue, before: z.core.$ZodIssue | undefined): boolean {
  const isOfLength = code === 'too_small' || code === 'too_big';
  return (
    isOfLength &&
    before?.code === 'invalid_type' &&
    path.length === before.path.length &&
    path.every((step, i) => step === before.path[i])
  );
}

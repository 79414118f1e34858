import type { Operations } from './api.ts';

/** A call by its method and path: `GET /v1/tenants/{tenant_id}`. */
export type OperationName = keyof Operations;

export interface CallOptions {
  /** Ends the call, the waits between tries included. */
  readonly signal?: AbortSignal | undefined;
  /** How long the whole call may take, all tries together. */
  readonly deadlineSeconds?: number | undefined;
}

export type InputOf<Name extends OperationName> = Operations[Name]['input'];

/** Optional where the call needs neither parameters nor a body. */
export type CallArguments<Name extends OperationName> =
  Record<never, never> extends InputOf<Name>
    ? [input?: InputOf<Name> & CallOptions]
    : [input: InputOf<Name> & CallOptions];

/** Calls that answer a page of a list. */
export type ListOperation = {
  [Name in OperationName]: Operations[Name]['answer'] extends { data: unknown[]; next: string | null } ? Name : never;
}[OperationName];

export type ListItem<Name extends ListOperation> = Operations[Name]['answer'] extends { data: (infer Item)[] }
  ? Item
  : never;

/** What a call takes, whichever it is. */
export interface AnyInput extends CallOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** The path with its parameters and the query. @throws TypeError where a parameter is missing */
export function pathOf(template: string, { params = {}, query = {} }: AnyInput): string {
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => segmentOf(name, params[name]));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? path : `${path}?${search}`;
}

// Dots would be taken for steps in the path, encoded or not: another call than was meant.
function segmentOf(name: string, value: string | undefined): string {
  if (value === undefined || value === '' || value === '.' || value === '..')
    throw new TypeError(`The parameter ${name} is missing or is no name of anything.`);
  return encodeURIComponent(value);
}

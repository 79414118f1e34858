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

/** Those of the calls that need parameters or a body. */
type NeedsInput<Name extends OperationName> = Name extends OperationName
  ? Record<never, never> extends InputOf<Name>
    ? never
    : Name
  : never;

/** Optional where the call, or each that it may be, needs neither parameters nor a body. */
export type CallArguments<Name extends OperationName> = [NeedsInput<Name>] extends [never]
  ? [input?: InputOf<Name> & CallOptions]
  : [input: InputOf<Name> & CallOptions];

/** Calls that answer a page of a list. */
export type ListOperation = {
  [Name in OperationName]: Operations[Name]['answer'] extends { data: unknown[]; next: string | null } ? Name : never;
}[OperationName];

export type ListItem<Name extends ListOperation> = Operations[Name]['answer'] extends { data: (infer Item)[] }
  ? Item
  : never;

type TextOperation = {
  [Name in OperationName]: Operations[Name]['answer'] extends string ? Name : never;
}[OperationName];

const TEXT_OPERATIONS: Readonly<Record<TextOperation, true>> = { 'GET /metrics': true, 'GET /docs': true };

/** Whether a call answers text. All others answer JSON, or nothing. */
export function answersText(operation: OperationName): boolean {
  return Object.hasOwn(TEXT_OPERATIONS, operation);
}

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
function segmentOf(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..')
    throw new TypeError(`The parameter ${name} is missing or is no name of anything.`);
  return encodeURIComponent(value);
}

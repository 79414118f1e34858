export type * from './api.ts';
export type { Fault } from './errors.ts';
export { NoAnswerError, PosthornError } from './errors.ts';
export type { CallOptions, InputOf, ListItem, ListOperation, OperationName } from './operation.ts';
export type { PosthornOptions } from './posthorn.ts';
export { Posthorn } from './posthorn.ts';
export type { SendOutcome } from './send-error.ts';
export { SendError } from './send-error.ts';

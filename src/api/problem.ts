import { STATUS_CODES } from 'node:http';
import { type Fault, Refusal } from '../domain/errors.ts';
import { UnsealError } from '../store/vault.ts';

/** RFC 9457 problem details, with our `code`, the request's id, and the faults of a 422. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly request_id: string;
  readonly errors?: readonly Fault[];
}

/** Most characters of a fault's path, and of its message. Both hold names that the caller chose, and an answer may have a thousand faults. */
const LONGEST_PATH = 256;
const LONGEST_MESSAGE = 1_000;

export function problemOf(refusal: Refusal, requestId: string): Problem {
  const { status, code, message, faults } = refusal;
  return {
    type: `urn:posthorn:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code,
    request_id: requestId,
    ...(faults.length > 0 ? { errors: faults.map(shortened) } : {}),
  };
}

function shortened(fault: Fault): Fault {
  return { ...fault, path: cut(fault.path, LONGEST_PATH), message: cut(fault.message, LONGEST_MESSAGE) };
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** @returns what a caller may see of an error: a bug, or lost infrastructure, is not described to it */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (typeof error !== 'object' || error === null) return internal();
  if (error instanceof UnsealError) {
    return new Refusal(
      500,
      'secret_unreadable',
      'A stored secret does not open with the MASTER_KEY at hand. The operator restores the key, or the secret is rotated.',
    );
  }
  if (isOfRouter(error)) return new Refusal(400, 'invalid_request', 'The request is malformed.');
  if (isInfrastructureLoss(error)) {
    return new Refusal(503, 'unavailable', 'A service that this call needs is away. Try again.', {
      retryAfterSeconds: 1,
    });
  }
  return internal();
}

function internal(): Refusal {
  return new Refusal(500, 'internal', 'Something went wrong here. The request id tells the operator where to look.');
}

/** @param limit bytes that the call takes */
export function tooLarge(limit: number): Refusal {
  return new Refusal(413, 'too_large', `The request body is larger than the ${limit} bytes that this call takes.`);
}

export function unknownEncoding(): Refusal {
  return new Refusal(415, 'unsupported_encoding', 'Send the body as UTF-8 without a content encoding.');
}

export function incompleteBody(): Refusal {
  return new Refusal(400, 'incomplete_body', 'The request body ended early.');
}

/** What Express's router raises for paths that cannot be decoded. */
function isOfRouter(error: object): boolean {
  return error instanceof URIError || (error as { status?: unknown }).status === 400;
}

/**
 * Codes of errors that pass. SQLSTATEs of Postgres:
 * - classes 08 (connection), 53 (resources), 57 (shutdown, timeout) and 58 (disk);
 * - 25006: a server that takes no writes, as a standby that is about to be promoted;
 * - 25P03, 25P04: a transaction that waited for us for too long;
 * - 55000: a database that takes no connections;
 * - 55P03: a lock that was not had in time;
 * - 40001, 40P01: a serialization failure and a deadlock, which are to be tried again.
 * Then the codes of sockets, and Prisma's own.
 */
const PASSING_CODE =
  /^(08|53|57|58|25006|25P0[34]|55000|55P03|40001|40P01)|^E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_)|^P(1001|1002|1008|1017|2024|2028|2034)$/;
/** How deep causes are followed. */
const DEEPEST = 8;
/** What clients and pools say of such errors without a code. */
const PASSING_MESSAGE =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error/;

/** The members in which an error of pg, or of Prisma around one of its adapter, says what happened. */
interface DatabaseFault {
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
}

/** Whether the error is a lost connection, a timeout, a shutdown or a deadlock: the call may succeed a little later. */
export function isInfrastructureLoss(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > DEEPEST) return false;
  const { code, originalCode, message, cause, meta }: DatabaseFault = error;
  if ([code, originalCode].some((each) => typeof each === 'string' && PASSING_CODE.test(each))) return true;
  if (typeof message === 'string' && PASSING_MESSAGE.test(message)) return true;
  return [cause, meta?.driverAdapterError].some((each) => isInfrastructureLoss(each, depth + 1));
}

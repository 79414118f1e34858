import { expect, test } from 'vitest';
import { Refusal } from '../domain/errors.ts';
import { UnsealError } from '../store/vault.ts';
import { problemOf, refusalOf } from './problem.ts';

const errorWith = (more: object, message = 'secret') => Object.assign(new Error(message), more);
/** As version 7 wraps what its adapter for pg throws. */
const byPrisma = (cause: object) => errorWith({ code: 'P2039', meta: { driverAdapterError: errorWith({ cause }) } });

test('a refusal is RFC 9457 problem details with its code, the id of the request and the faults', () => {
  const refusal = new Refusal(422, 'invalid', 'No.', { faults: [{ path: 'a.0', message: 'expected b' }] });
  expect(problemOf(refusal, 'req_1')).toEqual({
    type: 'urn:posthorn:problem:invalid',
    title: 'Unprocessable Entity',
    status: 422,
    detail: 'No.',
    code: 'invalid',
    request_id: 'req_1',
    errors: [{ path: 'a.0', message: 'expected b' }],
  });
  expect(problemOf(new Refusal(404, 'not_found', 'No.'), 'req_1')).not.toHaveProperty('errors');
});

test.each<[string, unknown, number, string]>([
  ['a bug', new TypeError('secret'), 500, 'internal'],
  ['something that is no error', 'secret', 500, 'internal'],
  ['a secret that does not open', new UnsealError('secret'), 500, 'secret_unreadable'],
  ['a path that does not decode', new URIError('secret'), 400, 'invalid_request'],
  ['a lost connection', errorWith({ code: 'ECONNREFUSED' }), 503, 'unavailable'],
  ['a Postgres that shuts down', errorWith({ code: '57P01' }), 503, 'unavailable'],
  ['too many connections', errorWith({ code: '53300' }), 503, 'unavailable'],
  ['a statement that took too long', errorWith({ code: '57014' }), 503, 'unavailable'],
  ['a lock that was not given', errorWith({ code: '55P03' }), 503, 'unavailable'],
  ['a Postgres that takes no writes', errorWith({ code: '25006' }), 503, 'unavailable'],
  ['a database that takes no connections', errorWith({ code: '55000' }), 503, 'unavailable'],
  [
    'a Postgres that takes no writes, by Prisma',
    byPrisma({ code: '25006', originalCode: '25006' }),
    503,
    'unavailable',
  ],
  ['what Prisma has a name for', byPrisma({ kind: 'SocketTimeout', originalCode: '57014' }), 503, 'unavailable'],
  ['a row that is there already, by Prisma', byPrisma({ originalCode: '23505' }), 500, 'internal'],
  ['a pool that is exhausted', errorWith({}, 'timeout exceeded when trying to connect'), 503, 'unavailable'],
  ['a Prisma that cannot connect', errorWith({ code: 'P1001' }), 503, 'unavailable'],
  ['a lost connection inside another error', errorWith({ cause: { code: 'ECONNRESET' } }), 503, 'unavailable'],
  [
    'an error that is its own cause',
    (() => {
      const error = new Error('secret');
      return Object.assign(error, { cause: error });
    })(),
    500,
    'internal',
  ],
  ['a broken constraint', errorWith({ code: '23505' }), 500, 'internal'],
])('%s', (_name, error, status, code) => {
  const refusal = refusalOf(error);
  expect([refusal.status, refusal.code]).toEqual([status, code]);
  expect(refusal.message).not.toContain('secret"');
  expect(refusal.message.startsWith('secret')).toBe(false);
  expect(refusal.retryAfterSeconds).toBe(status === 503 ? 1 : undefined);
});

test('a refusal is answered as it is', () => {
  const refusal = new Refusal(409, 'conflict', 'No.');
  expect(refusalOf(refusal)).toBe(refusal);
});

test('names that a caller chose are told by their beginning: an answer is not many times as large as its request', () => {
  const faults = [{ path: 'p'.repeat(10_000), message: 'm'.repeat(10_000), code: 'too_large' as const }];
  const [fault] = problemOf(new Refusal(422, 'invalid', 'No.', { faults }), 'req_1').errors!;
  expect(fault).toEqual({ path: `${'p'.repeat(256)}…`, message: `${'m'.repeat(1_000)}…`, code: 'too_large' });
});

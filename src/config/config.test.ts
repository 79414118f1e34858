import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { besideEmptyDatabaseUrl, ConfigError, readConfig, readDatabaseUrl } from './config.ts';
import { variables } from './variables.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-config-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');
const OPERATOR_KEY = 'x'.repeat(24);

test('an empty environment is a valid one, and gives every default', () => {
  const config = readConfig({});
  for (const [name, { fallback }] of Object.entries(variables))
    expect([name, config[name as keyof typeof config]]).toEqual([name, fallback]);
});

test('an empty value counts as unset', () => {
  expect(readConfig({ PORT: '', ROLES: '', DATABASE_URL: '', PORT_FILE: '' })).toEqual(readConfig({}));
});

test('an empty DATABASE_URL counts as unset beside REDIS_URL or MASTER_KEY too, which is noticed', () => {
  const env = { REDIS_URL: 'redis://h', MASTER_KEY };
  expect(readConfig({ ...env, DATABASE_URL: '' })).toEqual(readConfig(env));
  expect(besideEmptyDatabaseUrl({ ...env, DATABASE_URL: '' })).toEqual(['REDIS_URL', 'MASTER_KEY']);
  expect(besideEmptyDatabaseUrl({ DATABASE_URL: '', MASTER_KEY_FILE: 'x', REDIS_URL: '' })).toEqual(['MASTER_KEY']);
  for (const well of [{}, { DATABASE_URL: 'postgres://h/d' }, { DATABASE_URL: '', DATABASE_URL_FILE: 'x' }])
    expect(besideEmptyDatabaseUrl({ ...env, ...well })).toEqual([]);
  expect(besideEmptyDatabaseUrl({ DATABASE_URL: '' })).toEqual([]);
});

test.each(['DATABASE_URL', 'REDIS_URL', 'OPERATOR_KEY', 'MASTER_KEY', 'PORT'])(
  'a %s whose file is empty is told, and is not as though it were not set',
  (name) => {
    const path = join(folder, `empty-${name}`);
    for (const text of ['', '\n', '\r\n']) {
      writeFileSync(path, text);
      expect(problemsOf({ [`${name}_FILE`]: path })).toEqual([
        expect.stringContaining(`${name}_FILE: ${path} is empty`),
      ]);
    }
  },
);

test('a value is read from the file that NAME_FILE names, without its last newline', () => {
  const path = join(folder, 'port');
  writeFileSync(path, '9090\r\n');
  expect(readConfig({ PORT_FILE: path }).PORT).toBe(9090);
});

test('a secret is read from its file without the newline that editors and secret stores put at its end, and only that', () => {
  const path = join(folder, 'secret');
  const read = (text: string) => {
    writeFileSync(path, text);
    return problemsOf({ OPERATOR_KEY_FILE: path }).length > 0
      ? null
      : readConfig({ OPERATOR_KEY_FILE: path }).OPERATOR_KEY;
  };
  for (const ending of ['', '\n', '\r\n']) expect(read(`${OPERATOR_KEY}${ending}`)).toBe(OPERATOR_KEY);
  // Anything else may belong to the secret: it is refused rather than cut.
  for (const other of ['\n\n', ' \n', '\r', '\n\r\n'])
    expect([other, read(`${OPERATOR_KEY}${other}`)]).toEqual([other, null]);
  expect(read(`\n${OPERATOR_KEY}`)).toBeNull();
  writeFileSync(path, `${MASTER_KEY}\n`);
  expect(readConfig({ MASTER_KEY_FILE: path }).MASTER_KEY).toEqual([MASTER_KEY]);
});

test('a file that cannot be read, and a value given twice, are errors', () => {
  expect(problemsOf({ PORT_FILE: join(folder, 'none') })).toEqual([expect.stringMatching(/^PORT_FILE: .*ENOENT/)]);
  expect(problemsOf({ PORT: '1', PORT_FILE: 'x' })).toEqual([expect.stringMatching(/^PORT: .*PORT_FILE/)]);
});

test('the address of the database is read alone, with what is wrong with it and nothing else', () => {
  const path = join(folder, 'database-url');
  writeFileSync(path, 'postgres://h/d\n');
  expect(readDatabaseUrl({ DATABASE_URL_FILE: path, PORT: 'abc' })).toBe('postgres://h/d');
  expect(() => readDatabaseUrl({ DATABASE_URL: '' })).toThrow('DATABASE_URL: required');
  expect(() => readDatabaseUrl({ DATABASE_URL: 'mysql://h/d' })).toThrow('DATABASE_URL: expected a URL');
  expect(() => readDatabaseUrl({ DATABASE_URL_FILE: join(folder, 'none') })).toThrow(/DATABASE_URL_FILE: .*ENOENT/);
});

test('all errors are reported together', () => {
  expect(
    problemsOf({ PORT: 'abc', LANES: '0', ROLES: 'boss', HTTPS_ONLY: 'maybe' }).map((problem) => problem.split(':')[0]),
  ).toEqual(['PORT', 'ROLES', 'HTTPS_ONLY', 'LANES']);
  expect(problemsOf({ HTTPS_ONLY: 'maybe' })).toEqual(['HTTPS_ONLY: expected true, false, 1 or 0']);
  expect(problemsOf({ PORT: '65536', LANES: '0', LOG_LEVEL: 'loud' })).toEqual([
    'PORT: expected 0 to 65535',
    expect.stringMatching(/^LANES: expected 1 to \d+$/),
    'LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent',
  ]);
});

test('the values of secrets are not in what is printed', () => {
  const secret = 'hunter2-hunter2';
  const problems = problemsOf({ OPERATOR_KEY: secret, MASTER_KEY: secret, DATABASE_URL: secret, REDIS_URL: secret });
  expect(problems).toHaveLength(4);
  expect(problems.join()).not.toContain(secret);
});

test.each([
  'postgres://u:42/hunter2@h:1/d',
  'postgres://u:hunter2/42@h/d',
  'postgres://u:42/hunter2@h:1',
  'postgres://u/hunter2:pw@h/d',
  'postgres://u:42?hunter2@h/d',
  'postgres://u:42#hunter2@h/d',
  'postgres://u:hunter2#42@h/d',
  'postgres://u:x@y/hunter2@h/d',
])('a URL whose user or password would have to be percent-encoded is refused, and not shown: %s', (text) => {
  const [problem, ...more] = problemsOf({ DATABASE_URL: text, OPERATOR_KEY, MASTER_KEY });
  expect(problem).toContain('user or password has characters that must be percent-encoded');
  expect([problem, ...more].join()).not.toContain('hunter2');
});

test.each([
  'postgres://u:p%2Fw@h:1/d',
  'postgres://u:p@w@h/d',
  'postgres://u@h/my@d',
  'postgres://u@h/a:b',
  'postgres://h/my@d',
  'postgres://h/d?user=u@tenant&password=p@w/x',
  'postgres://h/d?user=u&password=a?b@c',
  'postgres:///my@d/x?host=/run/postgresql&user=u',
  'postgres://u:p@%2Frun%2Fpostgresql/d?sslmode=disable',
])('a URL is taken whatever its database and its parameters are called: %s', (text) => {
  expect(problemsOf({ DATABASE_URL: text, OPERATOR_KEY, MASTER_KEY })).toEqual([]);
});

test.each<[string, string[], string[]]>([
  ['PORT', ['0', '65535'], ['65536', '-1', '1.5', '1e3', ' 1', '0x10']],
  ['ROLES', ['api,worker', ' worker , api ', 'api,worker,'], ['x', ',', 'api;worker']],
  ['HTTPS_ONLY', ['true', 'false', '1', '0'], ['yes', 'TRUE']],
  ['TENANT_EVENTS_PER_SECOND', ['0.01', '2.5', '1000000'], ['0.001', '1000001', '1e3', '1.0000001', '.5', '-1', '1 ']],
  ['ALLOWED_NETWORKS', ['10.0.0.0/8, ::1', '127.0.0.1'], ['localhost', '10.0.0.0/8;::1']],
  ['EGRESS_PROXY_URL', ['http://p:3128', 'http://u:p@p/'], ['https://p', 'http://p/path', 'p:3128']],
  ['ALLOWED_PORTS', ['25,5432'], ['0', '65536', 'x']],
  [
    'REDIS_URL',
    [
      'redis://h:1',
      'rediss://h',
      'redis+cluster://h:1,i:2',
      'redis+sentinel://u:p,w@h:1,i:2/m',
      'rediss+sentinel://h,i?sentinel_password=x,y',
    ],
    ['http://h', 'h:1', 'redis://h:1,i:2', 'redis+cluster://h:x,i:2'],
  ],
  ['MASTER_KEY', [MASTER_KEY, `${MASTER_KEY}, ${MASTER_KEY}`], ['x', MASTER_KEY.slice(1), `${MASTER_KEY},x`]],
  ['OPERATOR_KEY', [OPERATOR_KEY], ['short', `${OPERATOR_KEY} `, 'ü'.repeat(30)]],
])('%s is taken or refused by its range', (name, good, bad) => {
  for (const value of good) expect([value, problemsOf({ [name]: value })]).toEqual([value, []]);
  for (const value of bad) expect([value, problemsOf({ [name]: value }).length]).toEqual([value, 1]);
});

test('a flag is on when it is true or 1', () => {
  const read = (text: string) => readConfig({ HTTPS_ONLY: text }).HTTPS_ONLY;
  expect(['true', '1', 'false', '0'].map(read)).toEqual([true, true, false, false]);
});

test('what contradicts itself is refused', () => {
  const database = { DATABASE_URL: 'postgres://h/d', OPERATOR_KEY, MASTER_KEY };
  expect(problemsOf(database)).toEqual([]);
  expect(problemsOf({ ...database, ROLES: 'worker' })).toEqual([]);
  expect(problemsOf({ DATABASE_URL: 'postgres://h/d' })).toHaveLength(2);
  expect(problemsOf({ ROLES: 'worker' })).toEqual([expect.stringMatching(/^ROLES/)]);
  expect(problemsOf({ MAX_BATCH_BYTES: '1024' })).toEqual([expect.stringMatching(/^MAX_BATCH_BYTES/)]);
  expect(problemsOf({ CONNECT_TIMEOUT_SECONDS: '20' })).toEqual([expect.stringMatching(/^CONNECT_TIMEOUT/)]);
  expect(problemsOf({ MAX_BATCH_BYTES: '4096', MAX_EVENT_BYTES: '4096' })).toEqual([]);
  expect(problemsOf({ CONNECT_TIMEOUT_SECONDS: '20', DELIVERY_TIMEOUT_SECONDS: '20' })).toEqual([]);
});

test('a worker has memory for eight events of the largest size, as it has by default however large that may be', () => {
  const database = { DATABASE_URL: 'postgres://h/d', OPERATOR_KEY, MASTER_KEY };
  const largest = { MAX_EVENT_BYTES: '8388608' };
  expect([problemsOf({}), problemsOf(largest)]).toEqual([[], []]);
  const little = { ...largest, MAX_BYTES_IN_FLIGHT: '67108863' };
  expect(problemsOf(little)).toEqual([expect.stringMatching(/^MAX_BYTES_IN_FLIGHT: less than eight times/)]);
  expect(problemsOf({ ...little, ...database, ROLES: 'worker' })).toHaveLength(1);
  expect(problemsOf({ ...little, ...database, ROLES: 'api' })).toEqual([]);
});

test('what contradicts is told beside what is wrong by itself, and nothing is said of what a wrong value would be', () => {
  const problemsOf = (env: Record<string, string>) => {
    try {
      readConfig(env);
    } catch (error) {
      return (error as ConfigError).problems.map((problem) => problem.slice(0, problem.indexOf(':')));
    }
    return [];
  };
  const url = 'postgresql://posthorn@127.0.0.1:1/posthorn';
  expect(problemsOf({ DATABASE_URL: url, LANES: '0', MAX_BATCH_BYTES: '2000' })).toEqual([
    'LANES',
    'OPERATOR_KEY',
    'MASTER_KEY',
    'MAX_BATCH_BYTES',
  ]);
  expect(problemsOf({ DATABASE_URL: url, OPERATOR_KEY: 'short', MASTER_KEY_FILE: '/nowhere/key' })).toEqual([
    'OPERATOR_KEY',
    'MASTER_KEY_FILE',
  ]);
});

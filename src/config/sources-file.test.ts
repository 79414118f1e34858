import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, readConfig } from './config.ts';
import { joinSecrets, splitSecrets } from './source-secrets.ts';
import { readSourcesFile, sourcesFileProblems } from './sources-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-sources-'));

function fileOf(text: string): string {
  const path = join(folder, `${Math.random()}.yaml`);
  writeFileSync(path, text);
  return path;
}

function problemsOf(text: string): readonly string[] {
  try {
    readSourcesFile(fileOf(text));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const secret = fileOf('from a file\n');
const GOOD = `
sources:
  - type: kafka
    name: orders
    connection:
      brokers: ["[::1]:9092", kafka:9093]
      sasl: { mechanism: PLAIN, username: me, password_file: ${secret} }
    consume: { pattern: "orders\\\\..*", group: posthorn }
    mapping: { format: mapped, type: "attribute:topic" }
`;

test('a source of the file is what the API would take, with secrets from files', () => {
  const [source] = readSourcesFile(fileOf(GOOD));
  expect(source).toMatchObject({
    name: 'orders',
    connection: { tls: false, sasl: { password: 'from a file' } },
    consume: { start: 'earliest' },
    mapping: { data: 'body' },
  });
});

test('certificates are taken from files too; one that is given twice, or is no PEM, is refused with its place', () => {
  const authority = fileOf('-----BEGIN CERTIFICATE-----\nabc\n');
  const withTls = (tls: string) => GOOD.replace('      sasl:', `      tls: { ${tls} }\n      sasl:`);
  const [source] = readSourcesFile(fileOf(withTls(`ca_file: ${authority}, cert_file: ${authority}`)));
  const pem = '-----BEGIN CERTIFICATE-----\nabc';
  expect(source!.connection.tls).toEqual({ ca: pem, cert: pem });
  expect(problemsOf(withTls(`ca: "${pem.replace('\n', '')}", ca_file: ${authority}`))).toContainEqual(
    expect.stringContaining('sources.0.connection.tls.ca: given directly and as ca_file'),
  );
  expect(problemsOf(withTls(`ca_file: ${secret}`)).join()).toMatch(/connection\.tls/);
});

test('all faults are told together, each with its place', () => {
  const problems = problemsOf(`
sources:
  - { type: kafka, name: "bad name", connection: { brokers: [nowhere] }, consume: { topics: [a], pattern: a, group: g }, mapping: { format: envelope } }
  - { type: kafka, name: b, connection: { brokers: ["k:1"] }, consume: { topics: [a], group: g }, mapping: { format: mapped, type: "somewhere:else" }, extra: 1 }
`);
  const places = ['0.name', '0.connection.brokers.0', '0.consume', '1.mapping.type'];
  for (const place of places) expect(problems).toContainEqual(expect.stringContaining(`sources.${place}`));
  expect(problems).toContainEqual(expect.stringMatching(/extra/));
});

test('they are told beside those of the variables', () => {
  const env = { DATABASE_URL: 'postgres://h/d', PORT: 'http', SOURCES_FILE: fileOf('source: []') };
  const read = () => readConfig(env, sourcesFileProblems);
  expect(read).toThrow(/PORT:.*MASTER_KEY: required.*SOURCES_FILE:/s);
  expect(() => readConfig({ SOURCES_FILE: fileOf(GOOD) }, sourcesFileProblems)).not.toThrow();
});

test.each([
  ['no YAML', 'sources: [', /not YAML/],
  ['an alias', 'sources: [&one {}, *one]', /not YAML/],
  ['another form', 'source: []', /SOURCES_FILE/],
  ['a list without its name', '- type: kafka', /SOURCES_FILE.*a list under the name `sources`/],
  ['a name twice', `${GOOD}${GOOD.replace('sources:', '')}`, /orders is given more than once/],
  [
    'a pattern that is none',
    GOOD.replace('orders\\\\..*', '[(]'),
    /sources\.0\.consume\.pattern: expected a regular expression/,
  ],
  [
    'a topic that has what the source itself rejects',
    `${GOOD.replace(/pattern: "[^"]*"/, 'topics: [orders, dead]')}    on_rejected: { dead_letter_topic: dead }\n`,
    /sources\.0\.on_rejected\.dead_letter_topic: expected another topic/,
  ],
])('%s is refused', (_what, text, problem) => {
  expect(problemsOf(text)).toContainEqual(expect.stringMatching(problem));
});

test('a secret file that is not there is one fault: what it should have said is not missed as well', () => {
  expect(problemsOf(GOOD.replace(secret, '/nowhere/at/all'))).toEqual([expect.stringMatching(/cannot read/)]);
});

test('a secret is in no message, whatever is wrong around it', () => {
  const text = GOOD.replace(`password_file: ${secret}`, 'password: hunter22').replace('PLAIN', 'BASE64');
  expect(problemsOf(text).join()).not.toContain('hunter22');
  expect(problemsOf(`${text}\n  - [`).join()).not.toContain('hunter22');
});

test('what the parser only warns of is a fault, and no line of the file is printed', async () => {
  const warnings: unknown[] = [];
  const note = (warning: unknown) => warnings.push(warning);
  process.on('warning', note);
  const problems = problemsOf(GOOD.replace(/password_file: \S+/, 'password: !vault hunter22'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
  expect(problems).toEqual([expect.stringContaining('Unresolved tag: !vault at line')]);
  expect(problems.join()).not.toContain('hunter22');
});

test('secrets are taken out of a description and put back', () => {
  const [source] = readSourcesFile(fileOf(GOOD));
  const { plain, secrets } = splitSecrets(source!);
  expect(secrets).toEqual({ 'connection.sasl.password': 'from a file' });
  expect(JSON.stringify(plain)).not.toContain('from a file');
  expect(joinSecrets({ plain, secrets })).toEqual(source);
});

test('the password and the key of a RabbitMQ are secrets too, and are left out where the description has no place for them', () => {
  const pem = '-----BEGIN CERTIFICATE-----';
  const connection = { username: 'u', password: 'hunter22', tls: { ca: pem, key: 'hunter22' } };
  const { plain, secrets } = splitSecrets({ name: 'shop', connection });
  expect(secrets).toEqual({ 'connection.password': 'hunter22', 'connection.tls.key': 'hunter22' });
  expect(plain).toEqual({ name: 'shop', connection: { username: 'u', tls: { ca: pem } } });
  expect(joinSecrets({ plain, secrets })).toEqual({ name: 'shop', connection });
  expect(joinSecrets({ plain: { connection: { tls: true } }, secrets: { 'connection.tls.key': 'k' } })).toEqual({
    connection: { tls: true },
  });
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { variables } from '../../src/config/variables.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ');
const instructions = dockerfile
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({ name: line.split(' ')[0]!, rest: line.slice(line.indexOf(' ') + 1).trim() }));
const finalStage = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
const { services, volumes, ...composition } = parse(read('compose.yaml'), { merge: true }) as Composition;
/** The services that run Posthorn. */
const ours = Object.entries(services).filter(([, { image }]) => image === 'posthorn');
/** What the composition sets for all of them, beside their roles. */
const composeVariables = composition['x-environment'];

const last = (name: string) => finalStage.findLast((instruction) => instruction.name === name)?.rest;

/** Whether .dockerignore, which excludes everything and lets some paths in again, keeps a path out of the build. */
function isIgnored(path: string): boolean {
  const lines = read('.dockerignore').split('\n').filter(Boolean);
  return !lines.some(
    (line) => line.startsWith('!') && (path === line.slice(1) || path.startsWith(`${line.slice(1)}/`)),
  );
}

test('every path that the Dockerfile copies exists and reaches the build', () => {
  const copied = instructions
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  expect(copied).toContain('src');
  expect(copied.filter((path) => !existsSync(fileURLToPath(new URL(path, ROOT))))).toEqual([]);
  expect(copied.filter(isIgnored)).toEqual([]);
});

test('the image takes neither tests nor a client that was generated elsewhere', () => {
  expect(read('.dockerignore').split('\n')).toEqual(
    expect.arrayContaining(['*', 'src/store/generated', '**/*.test.ts', '**/fixtures']),
  );
});

test('the image runs as an unprivileged user, and signals reach the process', () => {
  expect(last('USER')).toBe('node');
  // The exec form: a shell in between would swallow SIGTERM.
  expect(JSON.parse(last('CMD') ?? '')[0]).toBe('node');
  expect(last('STOPSIGNAL')).toBe('SIGTERM');
});

test('a signal to npm start reaches the process', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  // npm passes signals to its shell alone, which would die and leave the service behind (setup.test.ts has ready.sh).
  expect(scripts.start).toMatch(/^exec sh scripts\/ready.sh node /);
});

test('the image starts the service as npm start does', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  expect(`exec sh scripts/ready.sh ${JSON.parse(last('CMD') ?? '').join(' ')}`).toBe(scripts.start);
  // Without it a process takes 50 MB more: docs/operations.md, "Memory".
  expect(scripts.start).toContain(' --max-semi-space-size=32 ');
});

test('the image’s Node is the one that the tests run on', () => {
  const bases = instructions.filter(({ name }) => name === 'FROM').map(({ rest }) => rest.split(' ')[0]);
  expect(new Set(bases)).toEqual(new Set([`node:${process.versions.node.split('.')[0]}-slim`]));
});

test('every variable that the image and the composition set is one of the configuration', () => {
  const known = new Set([...Object.keys(variables), 'NODE_ENV']);
  const inImage = (last('ENV') ?? '').split(' ').map((pair) => pair.split('=')[0]!);
  expect(inImage).toContain('HOST');
  for (const [, { environment = {} }] of ours) {
    expect(environment).toMatchObject(composeVariables);
    expect([...inImage, ...Object.keys(environment)].filter((name) => !known.has(name))).toEqual([]);
  }
});

/** What the containers of a service are given, by the compose specification: `env_file`, and over it `environment` with what is interpolated. */
function containerEnvironment({ env_file = [], environment = {} }: Service, dotEnv: Readonly<Record<string, string>>) {
  const interpolated = Object.entries(environment).map(([name, value]) => [
    name,
    String(value).replace(/\$\{([A-Z_]+):([?-])([^}]*)\}/g, (_all, variable: string, kind: string, text: string) => {
      if (dotEnv[variable]) return dotEnv[variable];
      if (kind === '?') throw new Error(`${variable}: ${text}`);
      return text;
    }),
  ]);
  const fromFile = env_file.some(({ path }) => path === '.env') ? dotEnv : {};
  return { ...fromFile, ...Object.fromEntries(interpolated) } as Record<string, string>;
}

const required = {
  POSTGRES_PASSWORD: 'a'.repeat(48),
  OPERATOR_KEY: 'b'.repeat(48),
  MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
};
const SET_BY_COMPOSITION = ['DATABASE_URL', 'REDIS_URL', 'HOST', 'PORT', 'ROLES', 'SHUTDOWN_SECONDS'];

test('the composition’s values make a valid configuration, and no secret has a default', () => {
  expect(ours.map(([name]) => name)).toEqual(['api', 'worker', 'ingest']);
  for (const [name, service] of ours) {
    expect(readConfig(containerEnvironment(service, required)).ROLES).toEqual([name]);
    for (const each of Object.keys(required))
      expect(() => containerEnvironment(service, { ...required, [each]: '' })).toThrow(each);
  }
});

test('every variable that is written in .env reaches the containers, except those that the composition sets', () => {
  const given = Object.fromEntries(Object.keys(variables).map((name) => [name, `${name} of .env`]));
  for (const [name, service] of ours) {
    const reached = containerEnvironment(service, { ...required, ...given });
    const lost = Object.keys(variables).filter((each) => reached[each] !== given[each]);
    expect({ name, lost: lost.sort() }).toEqual({ name, lost: [...SET_BY_COMPOSITION].sort() });
  }
});

test('the composition starts without .env, and says what it lacks', () => {
  for (const [, { env_file }] of ours) expect(env_file).toEqual([{ path: '.env', required: false }]);
});

test.each(['README.md', '.env.example'])('%s names what the composition wants and what it sets', (page) => {
  const text = read(page).replaceAll(/`|\n#? ?/g, (mark) => (mark === '`' ? '' : ' '));
  const listed = (names: readonly string[]) => `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  expect(text).toContain(listed(Object.keys(required)));
  expect(text).toContain(listed(SET_BY_COMPOSITION));
});

interface Composition {
  readonly 'x-environment': Readonly<Record<string, unknown>>;
  readonly 'x-posthorn': { readonly stop_grace_period: string };
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

interface Service {
  readonly profiles?: readonly string[];
  readonly image?: string;
  readonly stop_grace_period?: string;
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

test.each(['kafka', 'rabbitmq'])(
  'the profile %s brings its broker and a process that takes events in from it',
  (profile) => {
    const begun = (profiles: readonly string[]) =>
      Object.entries(services).filter(
        ([, service]) => service.profiles?.some((each) => profiles.includes(each)) ?? true,
      );
    const without = begun([]).map(([name]) => name);
    const added = begun([profile]).filter(([name]) => !without.includes(name));
    expect(without).toEqual(expect.arrayContaining(['api', 'worker', 'postgres', 'redis']));
    expect(added.map(([name]) => name).sort()).toEqual(['ingest', profile].sort());
    const { ingest, [profile]: broker } = Object.fromEntries(added);
    expect(readConfig(containerEnvironment(ingest!, required)).ROLES).toEqual(['ingest']);
    expect(ingest!.environment).toMatchObject({ DATABASE_URL: expect.stringContaining('@postgres:5432/') });
    expect(broker!.image).toMatch(new RegExp(`${profile}:\\d`));
    for (const volume of broker!.volumes!) expect(Object.keys(volumes)).toContain(volume.split(':')[0]);
  },
);

test('the Kafka of the composition sends its clients to where the others reach it', () => {
  const { environment = {} } = services.kafka!;
  const advertised = String(environment.KAFKA_ADVERTISED_LISTENERS).split(',');
  expect(advertised).toEqual(['PLAINTEXT://kafka:9092', 'HOST://localhost:29092']);
  expect(services.kafka!.ports).toEqual(['127.0.0.1:29092:29092']);
  expect(environment.KAFKA_INTER_BROKER_LISTENER_NAME).toBe('PLAINTEXT');
  expect(environment.KAFKA_LISTENERS).toContain('PLAINTEXT://:9092');
  expect(environment.KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR).toBe(1);
  for (const name of String(environment.KAFKA_LISTENERS)
    .split(',')
    .map((each) => each.split(':')[0]))
    expect(environment.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP).toContain(`${name}:PLAINTEXT`);
});

test('the Kafka of the composition keeps its data in its volume', () => {
  const { environment = {}, volumes = [] } = services.kafka!;
  expect(volumes.map((volume) => volume.split(':')[1])).toContain(environment.KAFKA_LOG_DIRS);
});

test('no service of the composition has a password that is written here, or listens beyond this machine', () => {
  for (const { environment = {}, ports = [] } of Object.values(services)) {
    for (const [name, value] of Object.entries(environment))
      if (/PASS|KEY/.test(name)) expect(value, name).toMatch(/^\$\{[A-Z_]+:(\?[^}]*|-)\}$/);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
});

test('a container is given longer to stop than the process takes', () => {
  const graceSeconds = Number(/^(\d+)s$/.exec(composition['x-posthorn'].stop_grace_period)?.[1]);
  expect(graceSeconds).toBeGreaterThan(Number(composeVariables.SHUTDOWN_SECONDS));
  for (const [, { stop_grace_period }] of ours)
    expect(stop_grace_period).toBe(composition['x-posthorn'].stop_grace_period);
});

/** What the health check of the image finds in such an environment. */
function checkHealth(env: Record<string, string>): Promise<'healthy' | 'not healthy'> {
  const [, ...args] = JSON.parse(/CMD (\[.*\])/.exec(last('HEALTHCHECK')!)![1]!) as string[];
  return promisify(execFile)(process.execPath, args, { env }).then(
    () => 'healthy',
    () => 'not healthy',
  );
}

/** Answers the health check on the first of these ports that is free. */
async function listenAs(status: () => number, host: string, ports: readonly number[] = [0]): Promise<string> {
  const server = createServer(({ url }, response) => response.writeHead(url === '/healthz' ? status() : 404).end());
  onTestFinished(() => void server.close());
  for (const port of ports) {
    const listens = once(server.listen(port, host), 'listening').then(
      () => true,
      () => false,
    );
    if (await listens) return String((server.address() as AddressInfo).port);
  }
  throw new Error(`none of the ports ${ports} is free`);
}

test('the image is looked at where it listens: HOST and PORT, be they given by files', async () => {
  let status = 200;
  const port = await listenAs(() => status, '127.0.0.2');
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-health-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'port'), `${port}\n`);
  writeFileSync(join(folder, 'host'), '127.0.0.2\n');
  const byFiles = { HOST_FILE: join(folder, 'host'), PORT_FILE: join(folder, 'port') };
  expect(await Promise.all([checkHealth({ HOST: '127.0.0.2', PORT: port }), checkHealth(byFiles)])).toEqual([
    'healthy',
    'healthy',
  ]);
  // Nobody listens there.
  expect(await checkHealth({ HOST: '0.0.0.0', PORT: port })).toBe('not healthy');
  status = 503;
  expect(await checkHealth(byFiles)).toBe('not healthy');
});

test('a HOST that is set to nothing is as one that is not set', async () => {
  const port = await listenAs(() => 200, '127.0.0.1');
  expect(await checkHealth({ HOST: '', PORT: port })).toBe('healthy');
});

test('the image is looked at also on a port that fetch refuses', async () => {
  // "Bad ports" of the Fetch standard.
  const port = await listenAs(() => 200, '127.0.0.2', [10080, 6666, 6667, 6668, 6669, 4190, 5060]);
  await expect(fetch(`http://127.0.0.2:${port}/healthz`)).rejects.toThrow();
  expect(await checkHealth({ HOST: '127.0.0.2', PORT: port })).toBe('healthy');
});

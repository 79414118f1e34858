import type { IConfiguration, IForbiddenRuleType } from 'dependency-cruiser';

// Who may import whom. docs/architecture.md shows the same table; tests/architecture/dependency-rules.test.ts runs these rules and
// plants a violation of each. They need TypeScript 6: beside TypeScript 7 the cruiser reads nothing and finds nothing.

/** Folder → the folders of ours that it may import. A folder that is not listed here may not exist. */
const table: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  config: [],
  signing: [],
  accounts: [],
  routing: ['domain'],
  'event-types': ['domain', 'accounts', 'routing'],
  cloudevents: ['domain'],
  brokers: ['domain', 'config'],
  delivery: ['domain', 'signing', 'brokers'],
  store: ['domain', 'config'],
  queues: ['domain', 'config'],
  observability: ['domain', 'config'],
  ingest: ['domain', 'accounts', 'routing', 'event-types', 'cloudevents', 'store', 'queues'],
  sources: ['domain', 'config', 'event-types', 'cloudevents', 'brokers', 'store', 'observability', 'ingest'],
  workers: [
    'domain',
    'config',
    'signing',
    'accounts',
    'routing',
    'event-types',
    'cloudevents',
    'brokers',
    'delivery',
    'store',
    'queues',
    'observability',
    'ingest',
  ],
  api: [
    'domain',
    'config',
    'signing',
    'accounts',
    'routing',
    'event-types',
    'cloudevents',
    'brokers',
    'delivery',
    'store',
    'queues',
    'observability',
    'ingest',
  ],
  console: [],
  embedded: ['domain', 'config', 'signing'],
  cli: ['domain', 'config', 'signing', 'store', 'embedded'],
};

/** Files directly under src that folders may import; all others of them are for each other and for the entry. */
const rootFiles: Readonly<Record<string, readonly string[]>> = {
  sources: ['context', 'lifecycle'],
  workers: ['context', 'lane-waker', 'lifecycle'],
  api: ['context'],
  cli: ['await-signal'],
};

/** Package → where it may be imported, and why it is kept there. */
const packages = [
  {
    packages: ['@prisma/[^/]+', 'pg'],
    in: ['src/store/'],
    why: 'The store is the only place that knows Prisma and SQL.',
  },
  { packages: ['bullmq', 'ioredis'], in: ['src/queues/'], why: 'The queues are the only place that knows BullMQ.' },
  {
    packages: ['undici'],
    in: ['src/delivery/'],
    why: 'Deliveries are the only outbound network calls, behind the egress guard.',
  },
  {
    packages: ['@platformatic/kafka', 'rabbitmq-client'],
    in: ['src/brokers/', 'src/sources/', 'src/delivery/'],
    why: 'Brokers are spoken to by sources and by deliveries, and described in one place.',
  },
  { packages: ['yaml'], in: ['src/config/'], why: 'Configuration is read where it is checked.' },
  { packages: ['express', 'helmet'], in: ['src/api/'], why: 'The API is the only place that knows HTTP servers.' },
  {
    packages: ['ajv'],
    in: ['src/event-types/'],
    why: 'Schemas of strangers are compiled in one place, behind its bounds.',
  },
  {
    packages: ['pino', 'prom-client'],
    in: ['src/observability/'],
    why: 'One module names every business event; nobody else logs or counts.',
  },
  {
    packages: ['zod'],
    in: ['src/config/', 'src/api/', 'src/ingest/', 'src/embedded/'],
    why: 'Inputs are checked where they are read; inside, types are enough.',
  },
];

// BullMQ's Postgres backend takes a pool; the clients of ours do not end the process when they break.
const exceptions: Readonly<Record<string, readonly string[]>> = {
  'only-in-store': ['^src/queues/(postgres-backend|patient-client)\\.ts$'],
};

const TESTS = '(\\.test\\.ts$|^tests/|/fixtures/)';
const CLIENT = '^clients/typescript/src/';
const GENERATED = '^src/store/generated/';
const folder = (name: string) => `^src/${name}/`;
const npm = (name: string) => [`(^|/)node_modules/(@types/)?${name}/`, `^${name}(/|$)`];

const rowRules = Object.entries(table).map(
  ([name, allowed]): IForbiddenRuleType => ({
    name: `row-${name}`,
    severity: 'error',
    comment: `${name} may import of ours: ${[...allowed, ...(rootFiles[name] ?? [])].join(', ') || 'nothing'}.`,
    from: { path: folder(name), pathNot: TESTS },
    to: {
      path: '^src/',
      pathNot: [folder(name), ...allowed.map(folder), ...(rootFiles[name] ?? []).map((file) => `^src/${file}\\.ts$`)],
    },
  }),
);

// A type-only import leaves nothing at run time, and a signature that names `pg.Pool` is not knowledge of SQL.
const packageRules = packages.map(({ packages: names, in: places, why }): IForbiddenRuleType => {
  const name = `only-in-${places.map((place) => place.split('/')[1]).join('-')}`;
  return {
    name,
    severity: 'error',
    comment: why,
    from: { path: '^src/', pathNot: [TESTS, ...places.map((place) => `^${place}`), ...(exceptions[name] ?? [])] },
    to: { path: names.flatMap(npm), dependencyTypesNot: ['type-only'] },
  };
});

export default {
  forbidden: [
    ...rowRules,
    ...packageRules,
    {
      name: 'client-needs-nothing',
      severity: 'error',
      comment:
        'The client runs wherever fetch is; only its part for receivers has the code that signs, which is for Node.',
      from: { path: CLIENT, pathNot: [TESTS, `${CLIENT}webhooks\\.ts$`] },
      to: { pathNot: CLIENT },
    },
    {
      name: 'client-has-signing-alone',
      severity: 'error',
      comment: 'What is imported here is shipped to receivers.',
      from: { path: `${CLIENT}webhooks\\.ts$` },
      to: { pathNot: [folder('signing')] },
    },
    {
      name: 'nothing-imports-the-client',
      severity: 'error',
      comment: 'It is for others.',
      from: { path: '^(src|scripts)/' },
      to: { path: '^clients/' },
    },
    {
      name: 'folder-in-the-table',
      severity: 'error',
      comment: 'A new folder states first what it may import.',
      from: { path: '^src/[^/]+/', pathNot: Object.keys(table).map(folder) },
      to: {},
    },
    {
      name: 'generated-client-only-in-store',
      severity: 'error',
      comment: 'Prisma’s client is reached through src/store/prisma.ts.',
      from: { path: '^src/', pathNot: folder('store') },
      to: { path: GENERATED },
    },
    {
      name: 'context-is-a-type',
      severity: 'error',
      comment: 'Folders take the context as an argument: importing the value would make a cycle.',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/context\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sockets-where-they-belong',
      severity: 'error',
      comment: 'Whatever opens a socket is in delivery (behind the guard), brokers, api, embedded or cli.',
      from: { path: '^src/', pathNot: [TESTS, folder('(brokers|delivery|api|embedded|cli)')] },
      to: { path: '^(node:)?(http|https|http2|net|tls|dgram)$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Modules that need each other at run time are one module.',
      from: { path: '^(src|clients)/', pathNot: GENERATED },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'A module that nothing imports and that imports nothing is dead.',
      from: { orphan: true, path: '^src/', pathNot: [TESTS, GENERATED] },
      to: {},
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      comment: 'What runs does not need the tests. The documents that are made from the scenarios do.',
      from: { path: '^(src|scripts)/', pathNot: [TESTS, '^scripts/generate-docs\\.ts$'] },
      to: { path: TESTS },
    },
    {
      name: 'only-installed-packages',
      severity: 'error',
      comment: 'The production image has the dependencies and nothing else.',
      from: { path: '^src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      comment: 'An import that leads nowhere fails at start.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Without it type-only imports are not seen, and they count in the table.
    tsPreCompilationDeps: 'specify',
    doNotFollow: { path: '(^|/)(node_modules|src/store/generated)/' },
    skipAnalysisNotInRules: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
} satisfies IConfiguration;

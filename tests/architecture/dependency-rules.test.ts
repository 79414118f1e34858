import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser';
import { expect, test } from 'vitest';
import config from '../../dependency-cruiser.config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { forbidden = [], options } = config as IConfiguration;

/** Fewer means that the cruiser could not read TypeScript, and would find nothing whatever we did. */
const LEAST_MODULES = 120;

/** Rule → path → text of files that break it. Those named target (or context) are only there to be imported. */
const planted: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'row-domain': breach('domain', ['config', 'signing']),
  'row-config': breach('config', ['domain', 'store']),
  'row-signing': breach('signing', ['domain', 'config']),
  'row-accounts': breach('accounts', ['domain', 'config']),
  'row-routing': breach('routing', ['store', 'config']),
  'row-event-types': breach('event-types', ['store', 'ingest']),
  'row-cloudevents': breach('cloudevents', ['ingest', 'event-types']),
  'row-delivery': breach('delivery', ['store', 'config', 'queues', 'routing']),
  'row-brokers': breach('brokers', ['delivery', 'store']),
  'row-store': breach('store', ['ingest', 'routing', 'delivery']),
  'row-queues': breach('queues', ['store', 'workers']),
  'row-observability': breach('observability', ['store', 'delivery']),
  'row-ingest': breach('ingest', ['delivery', 'workers', 'api']),
  'row-sources': breach('sources', ['workers', 'api', 'delivery']),
  'row-workers': breach('workers', ['api', 'embedded', 'sources']),
  'row-api': breach('api', ['workers', 'embedded', 'sources']),
  'row-console': breach('console', ['domain', 'api']),
  'row-embedded': breach('embedded', ['store', 'api']),
  'row-cli': breach('cli', ['workers', 'api']),
  'only-in-store': {
    'src/workers/a.ts': `import pg from 'pg';\nexport const a = pg;\n`,
    'src/queues/b.ts': `import { PrismaPg } from '@prisma/adapter-pg';\nexport const b = PrismaPg;\n`,
  },
  'only-in-queues': {
    'src/workers/a.ts': `import { Queue } from 'bullmq';\nexport const a = Queue;\n`,
    'src/store/b.ts': `import { Redis } from 'ioredis';\nexport const b = Redis;\n`,
  },
  'only-in-delivery': { 'src/workers/a.ts': `import { request } from 'undici';\nexport const a = request;\n` },
  'only-in-api': {
    'src/ingest/a.ts': `import express from 'express';\nexport const a = express;\n`,
    'src/embedded/b.ts': `import helmet from 'helmet';\nexport const b = helmet;\n`,
  },
  'only-in-brokers-sources-delivery': {
    'src/api/a.ts': `import { Consumer } from '@platformatic/kafka';\nexport const a = Consumer;\n`,
  },
  'only-in-config': { 'src/sources/a.ts': `import { parse } from 'yaml';\nexport const a = parse;\n` },
  'only-in-event-types': {
    'src/ingest/a.ts': `import { Ajv2020 } from 'ajv/dist/2020.js';\nexport const a = Ajv2020;\n`,
  },
  'only-in-observability': {
    'src/store/a.ts': `import pino from 'pino';\nexport const a = pino;\n`,
    'src/workers/b.ts': `import { Counter } from 'prom-client';\nexport const b = Counter;\n`,
  },
  'only-in-config-api-ingest-embedded': { 'src/workers/a.ts': `import { z } from 'zod';\nexport const a = z;\n` },
  'client-needs-nothing': {
    'clients/typescript/src/a.ts': `import { hash } from 'node:crypto';\nexport const a = hash;\n`,
    'clients/typescript/src/b.ts': `import type { B } from '../../../src/signing/target.ts';\nexport type C = B;\n`,
    'src/signing/target.ts': 'export type B = string;\n',
  },
  'client-has-signing-alone': {
    'clients/typescript/src/webhooks.ts': `export { b } from '../../../src/domain/target.ts';\n`,
    'src/domain/target.ts': 'export const b = 1;\n',
  },
  'nothing-imports-the-client': {
    'src/domain/a.ts': `import { b } from '../../clients/typescript/src/target.ts';\nexport const a = b;\n`,
    'clients/typescript/src/target.ts': 'export const b = 1;\n',
  },
  'folder-in-the-table': { 'src/helpers/a.ts': `import { join } from 'node:path';\nexport const a = join;\n` },
  'generated-client-only-in-store': {
    'src/api/a.ts': `import type { A } from '../store/generated/target.ts';\nexport type B = A;\n`,
    'src/store/generated/target.ts': 'export type A = string;\n',
  },
  'context-is-a-type': {
    'src/api/a.ts': `import { context } from '../context.ts';\nexport const a = context;\n`,
    'src/context.ts': 'export const context = 1;\n',
  },
  'sockets-where-they-belong': {
    'src/store/a.ts': `import { request } from 'node:https';\nexport const a = request;\n`,
    'src/b.ts': `import net from 'net';\nexport const b = net;\n`,
  },
  'no-cycles': {
    'src/domain/a.ts': `import { b } from './target.ts';\nexport const a = () => b;\n`,
    'src/domain/target.ts': `import { a } from './a.ts';\nexport const b = () => a;\n`,
  },
  'no-orphans': { 'src/domain/a.ts': 'export const a = 1;\n' },
  'nothing-imports-tests': {
    'src/store/a.ts': `import { b } from '../../tests/target.ts';\nexport const a = b;\n`,
    'tests/target.ts': 'export const b = 1;\n',
    'src/domain/c.ts': `import { d } from './target.test.ts';\nexport const c = d;\n`,
    'src/domain/target.test.ts': 'export const d = 1;\n',
  },
  'only-installed-packages': { 'src/delivery/a.ts': `import { Webhook } from 'svix';\nexport const a = Webhook;\n` },
  'no-unresolvable': { 'src/domain/a.ts': `import { b } from './gone.ts';\nexport const a = b;\n` },
};

test('the code keeps the table of folders, and the cruiser has really read it', async () => {
  const { modules, summary } = await cruiseFolder(ROOT, ['src', 'scripts', 'clients/typescript/src']);
  expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  const read = modules.filter((module) => module.source.startsWith('src/') && module.source.endsWith('.ts'));
  expect(read.length).toBeGreaterThan(LEAST_MODULES);
  expect(
    read.some(({ dependencies }) => dependencies.some(({ dependencyTypes }) => dependencyTypes.includes('type-only'))),
  ).toBe(true);
});

test('every rule has a planted violation', () => {
  expect(Object.keys(planted).sort()).toEqual(forbidden.map((rule) => rule.name).sort());
});

test.each(Object.entries(planted))('a violation of %s is found', async (name, files) => {
  const place = await mkdtemp(join(tmpdir(), 'posthorn-rules-'));
  try {
    await symlink(join(ROOT, 'node_modules'), join(place, 'node_modules'));
    await symlink(join(ROOT, 'package.json'), join(place, 'package.json'));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(place, path)), { recursive: true });
      await writeFile(join(place, path), text);
    }
    const { summary } = await cruiseFolder(
      place,
      ['src', 'clients/typescript/src'].filter((folder) => existsSync(join(place, folder))),
    );
    const found = summary.violations.filter(({ rule }) => rule.name === name).map(({ from }) => from);
    const guilty = Object.keys(files).filter((path) => !/(target|context)(\.test)?\.ts$/.test(path));
    expect(new Set(found)).toEqual(new Set(guilty));
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});

/** One file of `folder` for each of `targets`, importing from it: a type the first time, a value otherwise. */
function breach(folder: string, targets: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [index, target] of targets.entries()) {
    files[`src/${target}/target.ts`] = 'export const target = 1;\nexport type Target = string;\n';
    const clause = index === 0 ? 'import type { Target as X }' : 'import { target as X }';
    files[`src/${folder}/to-${target}.ts`] =
      `${clause} from '../${target}/target.ts';\nexport ${index === 0 ? 'type Y = X' : 'const y = X'};\n`;
  }
  return files;
}

async function cruiseFolder(baseDir: string, folders: string[]): Promise<ICruiseResult> {
  const { enhancedResolveOptions, ...cruiseOptions } = options ?? {};
  const { output } = await cruise(
    folders,
    { ...cruiseOptions, baseDir, validate: true, ruleSet: { forbidden } },
    enhancedResolveOptions ?? {},
  );
  return output as ICruiseResult;
}

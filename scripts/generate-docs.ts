// Writes the documents that are made from the code: docs/README.md, docs/openapi.json, docs/configuration.md, docs/metrics.md, docs/log-events.md, docs/errors.md, docs/faults.md, .env.example, the types of the TypeScript client and the dashboard for Grafana. With
// --check it writes nothing and exits 1, naming each file that is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorsPage } from '../src/api/errors-page.ts';
import { openApiDocument } from '../src/api/openapi.ts';
import { routes } from '../src/api/routes.ts';
import { readFlags, runCommand } from '../src/cli/run-command.ts';
import { configurationPage, environmentExample } from '../src/config/configuration-page.ts';
import { logEventsPage } from '../src/observability/log-events-page.ts';
import { metricsPage } from '../src/observability/metrics-page.ts';
import { faultsPage } from '../tests/chaos/faults-page.ts';
import { clientTypes } from './client-types.ts';
import { documentsPage } from './documents-page.ts';
import { grafanaDashboard } from './grafana-dashboard.ts';

const USAGE = `npm run docs     writes the documents that are made from the code
  --check        writes nothing, and exits 1 when one is stale`;

const root = new URL('../', import.meta.url);

function main(args: readonly string[]): number {
  const { values } = readFlags({ args, options: { check: { type: 'boolean', default: false } } });
  const stale = Object.entries(makeDocuments()).filter(([name, text]) => present(name) !== text);
  for (const [name, text] of stale) {
    if (values.check) console.error(`${name} is stale: run \`npm run docs\``);
    else write(name, text);
  }
  return values.check && stale.length > 0 ? 1 : 0;
}

function makeDocuments(): Readonly<Record<string, string>> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
  const document = openApiDocument(routes, version);
  return {
    'docs/openapi.json': `${JSON.stringify(document, null, 2)}\n`,
    'docs/README.md': documentsPage(new URL('docs/', root)),
    'docs/configuration.md': configurationPage(),
    'docs/metrics.md': metricsPage(),
    'docs/log-events.md': logEventsPage(),
    'docs/errors.md': errorsPage(),
    'docs/faults.md': faultsPage(),
    '.env.example': environmentExample(),
    'clients/typescript/src/api.ts': clientTypes(document),
    'deploy/grafana/posthorn.json': grafanaDashboard(),
  };
}

function write(name: string, text: string): void {
  const path = fileURLToPath(new URL(name, root));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`wrote ${name}`);
}

function present(name: string): string | null {
  try {
    return readFileSync(new URL(name, root), 'utf8');
  } catch {
    return null;
  }
}

process.exitCode = await runCommand(USAGE, process.argv.slice(2), main);

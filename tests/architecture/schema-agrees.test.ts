import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onServer } from '../support/global-setup.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

const SCHEMA = fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url));

let database: TestDatabase;
beforeEach(async () => { database = await createTestDatabase(); });
afterEach(() => database.drop());

test('x', async () => {
  console.log(await diff(database.url));
});

async function loadEngine() {
  const wasm = await readFile(fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg').replace(/\.js$/, '.wasm')));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings as never }) as never as { instance: WebAssembly.Instance };
  (bindings as any).__wbg_set_wasm(instance.exports);
  (instance.exports as any).__wbindgen_start();
  return (bindings as any).SchemaEngine;
}

async function diff(url: string) {
  const Engine = await loadEngine();
  const files: [string, string][] = [[SCHEMA, await readFile(SCHEMA, 'utf8')]];
  const engine = await Engine.new({ datamodels: files }, () => {}, bindMigrationAwareSqlAdapterFactory(wrap(new PrismaPg({ connectionString: url }))));
  const result = await engine.diff({
    from: { tag: 'schemaDatasource', files: files.map(([path, content]) => ({ path, content })), configDir: '/' },
    to: { tag: 'schemaDatamodel', files: files.map(([path, content]) => ({ path, content })) },
    script: true, exitCode: null, shadowDatabaseUrl: null, filters: { externalTables: [], externalEnums: [] },
  });
  return result.stdout;
}

function wrap(f: any) {
  return { ...f, provider: f.provider, adapterName: f.adapterName, connect: async () => patch(await f.connect()), connectToShadowDb: async () => patch(await f.connectToShadowDb()) };
}
function patch(a: any) {
  const q = a.queryRaw.bind(a);
  a.queryRaw = async (x: any) => { const r = await q(x); const bad = r.columnTypes.map((t: number, i: number) => t === 6 ? i : -1).filter((i: number) => i >= 0); if (bad.length) console.log(x.sql.slice(0, 3000), bad.map((i: number) => r.columnNames[i] + ':' + [...new Set(r.rows.map((w: any) => JSON.stringify(w[i])))].join())); r.columnTypes = r.columnTypes.map((t: number) => (t === 6 ? 7 : t)); return r; };
  return a;
}

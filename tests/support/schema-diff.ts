import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const SCHEMA = fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url));
const EMPTY = '-- This is an empty migration.';

/** The SQL that would turn the database into what prisma/schema.prisma says, or null where they agree. Uses Prisma's own engine. */
export async function schemaDiff(databaseUrl: string): Promise<string | null> {
  const content = await readFile(SCHEMA, 'utf8');
  const files = [{ path: SCHEMA, content }];
  const pool = new CharAsTextPool({ connectionString: databaseUrl, max: 1 });
  try {
    const { SchemaEngine } = await engine();
    const adapter = bindMigrationAwareSqlAdapterFactory(new CharacterAdapterFactory(pool));
    const schemaEngine = await SchemaEngine.new({ datamodels: [[SCHEMA, content]] }, () => {}, adapter);
    const { stdout } = await schemaEngine.diff({
      from: { tag: 'schemaDatasource', files, configDir: '/' },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    schemaEngine.free();
    const script = stdout?.trim() ?? '';
    return script === '' || script === EMPTY ? null : script;
  } finally {
    await pool.end();
  }
}

interface Engine {
  readonly SchemaEngine: typeof SchemaEngine;
  __wbg_set_wasm(exports: object): void;
}

/** Neither Node's types nor the language's have it. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ readonly instance: { readonly exports: Readonly<Record<string, unknown>> } }>;
};

let loading: Promise<Engine> | undefined;

/** Node imports no WebAssembly, so the module is instantiated by hand. */
function engine(): Promise<Engine> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Engine> {
  const module = bindings as unknown as Engine;
  const path = fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const bytes = await readFile(path.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': bindings });
  module.__wbg_set_wasm(instance.exports);
  // A panic of the engine calls this; without it the message would be lost.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: { set_message: (message: string) => process.stderr.write(`${message}\n`) },
  });
  (instance.exports.__wbindgen_start as () => void)();
  return module;
}

const CHAR_OID = 18;
const TEXT_OID = 25;

/** adapter-pg refuses the catalogue's type "char", which the engine's questions ask for. */
class CharAsTextPool extends pg.Pool {
  override query = (async (...args: unknown[]) => {
    const result = (await (pg.Pool.prototype.query as (...all: unknown[]) => Promise<pg.QueryResult>).apply(
      this,
      args,
    )) as pg.QueryResult;
    for (const field of result.fields) if (field.dataTypeID === CHAR_OID) field.dataTypeID = TEXT_OID;
    return result;
  }) as pg.Pool['query'];
}

/** The columns of type "char" in the engine's questions: it wants a character there, not a text. */
const CHARACTER_COLUMNS: ReadonlySet<string> = new Set(['constraint_type', 'confdeltype', 'confupdtype']);

class CharacterAdapterFactory extends PrismaPg {
  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (query) => {
      const result = await queryRaw(query);
      const columnTypes = result.columnTypes.map((type, index) =>
        CHARACTER_COLUMNS.has(result.columnNames[index]!) ? ColumnTypeEnum.Character : type,
      );
      return { ...result, columnTypes };
    };
    return adapter;
  }
}
